# A machine with the memory map of a recorded one, and of each zone what its
# boot kept: /proc/zoneinfo shows what it showed there (Debian's 6.1, 4 GiB, THP
# always; tests/machine/mm/machines/amd64-4g-smp2).
boot personality=linux-6.1 thp=always cpus=2 e820=1000-9fbff,100000-bffdffff,100000000-13fffffff reserved=DMA:158,DMA32:27699,Normal:18803
cat /proc/zoneinfo
expect cat /proc/zoneinfo contains 754605
expect cat /proc/zoneinfo contains 1044480
# 256 MiB are missing between the end of memory below 4 GiB and that border.
expect cat /proc/zoneinfo contains 782304
expect cat /proc/zoneinfo contains 12717
expect cat /proc/zoneinfo contains protection: (0, 2938, 3889, 3889, 3889)
