# i386: DMA below 16 MiB, Normal to 896 MiB, HighMem above. User pages come from
# high memory, which the kernel has no address for.
boot profile=i386 ram=2g
user: alloc_pages HIGHUSER 0
page_address $user
expect ret 0
low: alloc_pages KERNEL 0
page_address $low
expect ret >= 0xc0000000
expect ret < 0xf8000000
dma: alloc_pages DMA 0
page_address $dma
expect ret < 0xc1000000
# What has no address cannot be asked for by address: Normal serves it.
get_zeroed_page HIGHUSER
expect ret >= 0xc0000000
expect cat /proc/buddyinfo contains HighMem
