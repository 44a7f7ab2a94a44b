//! Programs that make the pointer bits of large types (up to Go 1.23). Source: `runtime/mbitmap.go`
//! (`runGCProg`), `cmd/internal/gcprog`.

use lastgasp_inferior::{Addr, Memory};

use crate::heap::bits::{bits_at, copy_bits};

/// As `runGCProg`: bits as they stand (`0nnnnnnn`, then so many), or the last n again c times (`1nnnnnnn`,
/// c), until 0. Never more than `words` bits.
pub(crate) fn run_program(mem: &dyn Memory, at: Addr, words: u64) -> Option<Vec<u64>> {
    let mut program = Program { mem, at, chunk: [0; 64], used: 64, left: 1 << 20 };
    let mut bits = vec![0u64; words.div_ceil(64) as usize];
    let mut len = 0u64;
    while len < words {
        let instruction = program.byte()?;
        let mut n = u64::from(instruction & 0x7f);
        if instruction & 0x80 == 0 {
            if n == 0 {
                break;
            }
            for _ in 0..n.div_ceil(8) {
                let byte = u64::from(program.byte()?);
                let used = n.min(8);
                append(&mut bits, &mut len, byte & ((1 << used) - 1), used);
                n -= used;
            }
            continue;
        }
        if n == 0 {
            n = program.varint()?;
        }
        let count = program.varint()?.checked_mul(n)?;
        if n == 0 || n > len {
            return None;
        }
        // Bit by bit in blocks: the source may overlap what is being written.
        let mut left = count.min(words - len);
        while left > 0 {
            let from = len - n;
            let block = n.min(64).min(left);
            let again = bits_at(&bits, from, block);
            append(&mut bits, &mut len, again, block);
            left -= block;
        }
    }
    Some(bits)
}

fn append(bits: &mut [u64], len: &mut u64, value: u64, n: u64) {
    copy_bits(bits, *len, &[value]);
    *len += n;
}

/// The bytes of a program.
struct Program<'a> {
    mem: &'a dyn Memory,
    at: Addr,
    chunk: [u8; 64],
    used: usize,
    /// Bytes that it may still have.
    left: usize,
}

impl Program<'_> {
    fn byte(&mut self) -> Option<u8> {
        self.left = self.left.checked_sub(1)?;
        if self.used == self.chunk.len() {
            if self.mem.read(self.at, &mut self.chunk).is_err() {
                // The end of what is mapped: byte by byte.
                let byte = self.mem.u8(self.at).ok()?;
                self.at = self.at.plus(1);
                return Some(byte);
            }
            self.at = self.at.plus(self.chunk.len() as u64);
            self.used = 0;
        }
        self.used += 1;
        self.chunk.get(self.used - 1).copied()
    }

    fn varint(&mut self) -> Option<u64> {
        let mut n = 0u64;
        for i in 0..9 {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                return Some(n);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_inferior::{ReadCause, ReadError};

    use super::*;

    struct Bytes(Vec<u8>);

    impl Memory for Bytes {
        fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), ReadError> {
            let error = ReadError { addr, len: buf.len(), cause: ReadCause::Absent };
            let at = usize::try_from(addr.0).map_err(|_| error)?;
            buf.copy_from_slice(self.0.get(at..at + buf.len()).ok_or(error)?);
            Ok(())
        }
    }

    fn run(program: &[u8], words: u64) -> Option<String> {
        let bits = run_program(&Bytes(program.to_vec()), Addr(0), words)?;
        Some((0..words).map(|i| if bits[(i / 64) as usize] >> (i % 64) & 1 == 1 { '1' } else { '0' }).collect())
    }

    /// `runtime/gcinfo_test.go` and the comment at `runGCProg`.
    #[test]
    fn programs_are_run_as_the_runtime_runs_them() {
        assert_eq!(run(&[3, 0b101, 0], 3).as_deref(), Some("101"));
        assert_eq!(run(&[3, 0b101, 0x83, 2, 0], 9).as_deref(), Some("101101101"));
        assert_eq!(run(&[10, 0xff, 0b01, 0], 10).as_deref(), Some("1111111110"));
        // n as a varint; more bits than a register holds.
        let mut program = vec![100];
        program.extend([0x55; 13]);
        program.extend([0x80, 100, 3, 0]);
        assert_eq!(run(&program, 400), Some("10".repeat(200)));
        // What is behind the pointers is not asked for, and what says nothing of the rest leaves it clear.
        assert_eq!(run(&[1, 1, 0x81, 0xff, 0xff, 0x7f, 0], 5).as_deref(), Some("11111"));
        assert_eq!(run(&[1, 1, 0], 4).as_deref(), Some("1000"));
    }

    #[test]
    fn programs_that_lie_are_refused() {
        assert_eq!(run(&[0x85, 2, 0], 10), None, "nothing there to repeat");
        assert_eq!(run(&[0x80, 0, 0], 10), None);
        assert_eq!(run(&[7], 10), None, "its end is not there");
        assert_eq!(run(&[0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 10), None);
    }
}
