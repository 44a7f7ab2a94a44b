//! System calls that nix has no safe form for. The only `unsafe` of this crate.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

/// A descriptor that becomes readable when the process has ended (Linux 5.3 and newer).
#[must_use]
pub fn pidfd_open(pid: i32) -> Option<OwnedFd> {
    // SAFETY: a system call without pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the kernel has just given us this descriptor.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What `PIDFD_GET_INFO` gives (`linux/pidfd.h`, 64 bytes in its first version).
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    pids_and_ids: [u32; 11],
    exit_code: i32,
}

/// The request, in a module since nix's macro makes it public and gives it no documentation.
mod request {
    #![allow(missing_docs, unreachable_pub)]
    use super::PidfdInfo;

    nix::ioctl_readwrite!(pidfd_get_info, 0xff, 11, PidfdInfo);
}

/// The wait status of a process that has ended and was reaped by its parent, who need not be us (Linux 6.15
/// and newer).
#[must_use]
pub(crate) fn reaped_status(pidfd: BorrowedFd<'_>) -> Option<i32> {
    const EXIT: u64 = 1 << 3;
    let mut info = PidfdInfo { mask: EXIT, ..PidfdInfo::default() };
    // SAFETY: an open pidfd and the struct that this ioctl reads and writes, of the size that the request
    // names.
    unsafe { request::pidfd_get_info(pidfd.as_raw_fd(), &raw mut info) }.ok()?;
    (info.mask & EXIT != 0).then_some(info.exit_code)
}

/// A socket on which the kernel tells of processes (`Documentation/driver-api/connector.rst`), bound to that
/// group; non-blocking.
///
/// # Errors
/// The system's error: needs CAP_NET_ADMIN and the machine's own network and process namespaces.
pub fn process_events_socket() -> io::Result<OwnedFd> {
    const NETLINK_CONNECTOR: libc::c_int = 11;
    const CN_IDX_PROC: u32 = 1;
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: a system call without pointers.
    let fd = unsafe { libc::socket(libc::PF_NETLINK, kind, NETLINK_CONNECTOR) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: all zeroes is a sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address.nl_groups = CN_IDX_PROC;
    let length = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
    // SAFETY: `address` is a sockaddr_nl of ours of that length.
    if unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(fd)
}
