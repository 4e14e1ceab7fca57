# What a kernel booted with slub_debug=FZPU says of bad uses of its memory.
boot slub_debug=FZPU
# A byte too far: found when the object is freed, reported and mended.
a: kmalloc 64 KERNEL
kwrite $a+64 65
expect event.console 0
kfree $a
expect err EINVAL
expect event.console 1
kfree $a
expect ret 0
# Freed twice.
kfree $a
expect err EINVAL
expect event.console 1
# Used after it was freed: found when the object is handed out again; its slab is
# not used any more.
kwrite $a+8 66
b: kmalloc 64 KERNEL
expect event.console 1
expect ret != $a
# An address inside an object is no object.
kfree $b+8
expect err EINVAL
expect event.console 1
