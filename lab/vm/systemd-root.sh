# A root file system with a real systemd as process 1, from the distribution's packages, and lastgasp installed in it as docs/operations/install.md says. A part of
# run.sh.

# Unpacks systemd with all that it needs into $1. Kept in $work/systemd, so that a second run needs no network.
systemd_root() {
    if [ ! -d "$work/systemd" ]; then
        need apt-get apt; need dpkg-deb dpkg; need tar tar
        echo "lab/vm: fetching systemd" >&2
        local part
        part=$(mktemp -d "$work/part.XXXXXX")
        mkdir -p "$part/debs/partial" "$part/x"
        # As if nothing were installed: all that it depends on.
        : >"$part/status"
        if ! apt-get -qq --download-only --yes --no-install-recommends -o Dir::State::status="$part/status" -o Dir::Cache::archives="$part/debs" \
            install systemd >"$part/log" 2>&1; then
            cat "$part/log" >&2
            rm -rf "$part"
            cannot "systemd could not be fetched" "apt-get update"
        fi
        # Packages that still have /bin and those that have /usr/bin alone meet in one folder.
        local folder deb
        for folder in bin sbin lib lib64; do mkdir -p "$part/x/usr/$folder" && ln -s "usr/$folder" "$part/x/$folder"; done
        for deb in "$part"/debs/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$part/x"; done
        rm -rf "$part"/x/usr/share/{doc,man,locale,lintian,bug,info} "$part"/x/usr/lib/x86_64-linux-gnu/gconv "$part/x/usr/share/i18n"
        mv "$part/x" "$work/systemd"
        rm -rf "$part"
    fi
    cp -a "$work/systemd/." "$1/"
}

# Makes of $1, which has systemd and busybox, a machine that plays guest.sh as a service once it is up.
systemd_machine() {
    local root=$1 applet
    mkdir -p "$root"/{etc/systemd/system/multi-user.target.wants,etc/lastgasp,usr/local/bin,root,run,var/lib,var/log/journal,var/tmp}
    # What systemd's packages do not have.
    for applet in $("$busybox" --list); do
        case $applet in init | halt | poweroff | reboot) continue ;; esac
        [ -e "$root/bin/$applet" ] || [ -e "$root/sbin/$applet" ] || ln -s /bin/busybox "$root/bin/$applet"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
    echo lab >"$root/etc/hostname"
    # Without one systemd asks questions at the console.
    echo 00000000000000000000000000001ab0 >"$root/etc/machine-id"
    # docs/operations/install.md, with the files that are shipped.
    install -m 755 "$lastgasp" "$root/usr/local/bin/lastgasp"
    install -m 644 "$here/../../deploy/systemd/lastgasp.toml" "$root/etc/lastgasp/"
    install -m 644 "$here/../../deploy/systemd/lastgasp.service" "$root/etc/systemd/system/"
    cat >"$root/etc/systemd/system/lab.service" <<'UNIT'
[Unit]
Description=The cases of lab/vm
[Service]
Type=oneshot
ExecStart=/bin/sh /lab/guest.sh
StandardOutput=file:/dev/ttyS0
StandardError=inherit
ExecStopPost=/bin/systemctl poweroff --force --force
UNIT
    ln -s /etc/systemd/system/lab.service "$root/etc/systemd/system/multi-user.target.wants/"
    ln -sf /lib/systemd/systemd "$root/init"
}
