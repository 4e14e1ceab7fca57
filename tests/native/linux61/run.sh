#!/usr/bin/env bash
# Asks Debian 12's Linux 6.1, in a virtual machine, what conformance wants to
# know.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)

help() {
  cat <<'END'
usage: tests/native/linux61/run.sh [OPTION ...] [CONFORMANCE ARGUMENT ...]

Boots Linux 6.1 in qemu, with an initramfs that holds `conformance`, and runs
`conformance` here with these arguments and `--kernel-at`, so that what it asks
is done by 6.1 and compared with a machine of personality linux-6.1. Its exit
code is the exit code. Without arguments it waits for a key instead, and says
what to add to other runs of conformance.

  tests/native/linux61/run.sh --seeds 1-100 --profile all
  tests/native/linux61/run.sh --scoreboard
  tests/native/linux61/run.sh --disk --seeds 1-100 --profile file

  --bin DIR      where conformance is (default: build/dev/bin)
  --deb FILE     the Debian package with the kernel (default: LINUX61_DEB, or
                 what apt-get download gives of linux-image-6.1.0-*-amd64)
  --accel kvm    where the processor has virtualization of its own (default:
                 tcg, which runs everywhere and takes some 20 times as long)
  --disk         the files of the scripts are on ext4
  --memory SIZE  of the virtual machine (default: 1G)
  --help         this text

Needs the Debian packages qemu-system-x86, busybox-static, cpio, xz-utils and,
for --disk, e2fsprogs; nothing else, not even root. What is missing it names,
and exits with 2. Nothing is installed, and the kernel here is left alone.
END
}

# Where it cannot be asked, as conformance says it.
cannot() {
  echo "run.sh: $*" >&2
  exit 2
}
wants() {
  command -v "$1" >/dev/null || cannot "no $1 here: apt-get install $2"
}

bin=$ROOT/build/dev/bin deb=${LINUX61_DEB:-} memory=1G disk='' accel=tcg
while (($#)); do
  case $1 in
    --bin | --deb | --memory | --accel)
      (($# > 1)) || cannot "$1 wants a value; --help lists what it takes"
      declare "${1#--}=$2"
      shift
      ;;
    --disk) disk=1 ;;
    -h | --help) help && exit 0 ;;
    *) break ;;
  esac
  shift
done

wants qemu-system-x86_64 qemu-system-x86
wants busybox busybox-static
wants cpio cpio
wants xz xz-utils
[[ -z $disk ]] || wants mkfs.ext4 e2fsprogs
[[ -x $bin/conformance ]] || cannot "$bin/conformance is not built"
case $accel in
  tcg) cpu=max,la57=off ;;
  kvm)
    cpu=host
    [[ -w /dev/kvm ]] || cannot "/dev/kvm is not here, or not yours"
    grep -qE '^flags.* (vmx|svm)' /proc/cpuinfo ||
      cannot "this processor has no vmx or svm: --accel tcg"
    ;;
  *) cannot "--accel is kvm or tcg, not '$accel'" ;;
esac

# Downloaded once; the newest one counts.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/faultline-linux61
newest() { find "$cache" -name "$1" | sort -V | tail -1; }
if [[ -z $deb ]]; then
  mkdir -p "$cache"
  deb=$(newest 'linux-image-6.1.0-*-amd64_*.deb')
fi
if [[ -z $deb ]]; then
  name=$(apt-cache pkgnames linux-image-6.1.0- |
    grep -E '^linux-image-6\.1\.0-[0-9]+-amd64$' | sort -V | tail -1)
  [[ $name ]] || cannot "apt knows no linux-image-6.1.0-*-amd64: --deb FILE"
  (cd "$cache" && apt-get download "$name") >&2 || cannot "no $name: --deb FILE"
  deb=$(newest "${name}_*.deb")
fi
[[ -r $deb ]] || cannot "$deb cannot be read"

work=$(mktemp -d) qemu=''
finish() {
  if [[ $qemu ]]; then
    kill "$qemu" 2>/dev/null || true
    wait "$qemu" || true
  fi
  rm -rf "$work"
}
trap finish EXIT
shared=$work/shared root=$work/root
mkdir -p "$work/kernel" "$shared" "$root"/{bin,dev,proc,sys,tmp,disk,shared,lib}

# The kernel's image, and the modules for the shared folder and the disk.
modules=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev
  virtio_pci netfs fscache 9pnet 9pnet_virtio 9p
  virtio_blk crc32c_generic crc16 mbcache jbd2 ext4)
patterns=('./boot/vmlinuz-*')
for module in "${modules[@]}"; do patterns+=("*/$module.ko"); done
dpkg-deb --fsys-tarfile "$deb" |
  tar -x -C "$work/kernel" --wildcards "${patterns[@]}" ||
  cannot "$deb is not what is wanted: a package linux-image-6.1.0-*-amd64"
find "$work/kernel" -name '*.ko' -exec cp {} "$root/lib" \;

# The ELF file within: an emulated processor unpacks it for a minute.
image=$(echo "$work"/kernel/boot/vmlinuz-*)
at=$(LC_ALL=C grep -abo -m1 $'\xfd7zXZ' "$image" | head -1 | cut -d: -f1)
tail -c "+$((at + 1))" "$image" | xz -dc >"$work/vmlinux" 2>/dev/null || true
[[ -s $work/vmlinux ]] || cannot "$image does not hold an image packed by xz"

# The program and every library it is linked with, its loader too.
cp "$(command -v busybox)" "$root/bin/busybox"
strip -o "$root/bin/conformance" "$bin/conformance" 2>/dev/null ||
  cp "$bin/conformance" "$root/bin/"
ldd "$bin/conformance" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$root/$(dirname "$library")"
  cp -L "$library" "$root/$library"
done

# mmap_min_addr as 6.18 has it by default, where Debian's 6.1 has 65536.
cat >"$root/init" <<END
#!/bin/busybox sh
export PATH=/bin TMPDIR=/tmp
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
busybox mount -t tmpfs tmpfs /tmp
echo 4096 >/proc/sys/vm/mmap_min_addr
for module in ${modules[*]}; do
  if [ -e /lib/\$module.ko ]; then busybox insmod /lib/\$module.ko; fi
done
busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 shared /shared
if [ "$disk" ]; then busybox mount -t ext4 /dev/vda /disk; fi
busybox stty -F /dev/ttyS1 raw -echo 115200
conformance --serve /shared ${disk:+--files /disk} </dev/ttyS1 >/dev/ttyS1
busybox poweroff -f
END
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$work/initramfs"

drives=()
if [[ $disk ]]; then
  truncate -s 256M "$work/disk"
  mkfs.ext4 -q "$work/disk"
  drives=(-drive "file=$work/disk,format=raw,if=virtio")
fi

# The console is kept for when it does not boot. no_timer_check: an emulated
# processor that must wait for a real one loses ticks.
nice -n "${NICE:-10}" qemu-system-x86_64 -accel "$accel" -cpu "$cpu" \
  -m "$memory" -smp 1 -nodefaults -display none -no-reboot \
  -serial "file:$work/console" \
  -serial "unix:$shared/kernel.sock,server=on,wait=off" \
  -virtfs "local,path=$shared,mount_tag=shared,security_model=none" \
  -kernel "$work/vmlinux" -initrd "$work/initramfs" "${drives[@]}" \
  -append "console=ttyS0 panic=-1 no_timer_check transparent_hugepage=madvise" \
  </dev/null &
qemu=$!
until [[ -e $shared/facts ]]; do
  kill -0 "$qemu" 2>/dev/null || {
    tail -20 "$work/console" >&2
    cannot "the virtual machine ended before it could be asked"
  }
  sleep 1
done

if (($#)); then
  "$bin/conformance" --kernel-at "$shared" "$@"
else
  echo "conformance --kernel-at $shared; a key ends it"
  read -rsn1
fi
