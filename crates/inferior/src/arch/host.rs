//! The machine we run on: what its kernel says, and what its ptrace gives.

use std::sync::OnceLock;
use std::time::Duration;

use nix::libc::user_regs_struct;
use nix::unistd::{SysconfVar, sysconf};

use super::processor::GeneralRegisters;
use crate::addr::Addr;

/// The kernel's page size in bytes (`_SC_PAGESIZE`), asked once.
#[must_use]
pub fn page_size() -> u64 {
    /// What POSIX does not leave out; the smallest of any Linux that Go runs on.
    const UNSAID: u64 = 4096;
    static SIZE: OnceLock<u64> = OnceLock::new();
    *SIZE
        .get_or_init(|| sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|n| n.try_into().ok()).unwrap_or(UNSAID))
}

/// The time that `n` clock ticks take (`_SC_CLK_TCK`, asked once): what `/proc/PID/stat` counts start and
/// processor times in.
#[must_use]
pub fn clock_ticks(n: u64) -> Duration {
    /// `USER_HZ` of every processor that Go runs on.
    const UNSAID: u64 = 100;
    static PER_SECOND: OnceLock<u64> = OnceLock::new();
    let asked = || sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|n| n.try_into().ok()).filter(|n| *n > 0);
    let hz = *PER_SECOND.get_or_init(|| asked().unwrap_or(UNSAID));
    let rest = u128::from(n % hz) * 1_000_000_000 / u128::from(hz);
    Duration::new(n / hz, u32::try_from(rest).unwrap_or(0))
}

/// Program counter and stack pointer of what ptrace gives: of the processor that this program was built for.
pub(crate) fn user_registers(regs: &user_regs_struct) -> (Addr, Addr) {
    (Addr(regs.rip), Addr(regs.rsp))
}

/// The other general registers of what ptrace gives.
pub(crate) fn general_registers(regs: &user_regs_struct) -> GeneralRegisters {
    let r = regs;
    let all = [r.r15, r.r14, r.r13, r.r12, r.rbp, r.rbx, r.r11, r.r10, r.r9, r.r8, r.rax, r.rcx, r.rdx, r.rsi, r.rdi];
    let mut out = GeneralRegisters::default();
    out.iter_mut().zip(all).for_each(|(to, from)| *to = from);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel tells every process in its auxiliary vector too (`AT_PAGESZ`).
    #[test]
    fn the_page_size_is_what_the_kernel_says() {
        let auxv = std::fs::read("/proc/self/auxv").unwrap();
        let words: Vec<u64> = auxv.chunks_exact(8).map(|w| u64::from_le_bytes(w.try_into().unwrap())).collect();
        let stated = words.chunks_exact(2).find(|pair| pair[0] == 6).unwrap()[1];
        assert_eq!(page_size(), stated);
    }

    /// `AT_CLKTCK` says the same; no number overflows.
    #[test]
    fn clock_ticks_are_what_the_kernel_says() {
        let auxv = std::fs::read("/proc/self/auxv").unwrap();
        let words: Vec<u64> = auxv.chunks_exact(8).map(|w| u64::from_le_bytes(w.try_into().unwrap())).collect();
        let hz = words.chunks_exact(2).find(|pair| pair[0] == 17).unwrap()[1];
        assert_eq!(clock_ticks(hz * 3 + hz / 2), Duration::from_millis(3500));
        assert_eq!(clock_ticks(u64::MAX).as_secs(), u64::MAX / hz);
    }
}
