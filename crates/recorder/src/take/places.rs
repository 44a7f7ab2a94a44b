//! Where the pages of the dead are: by files that were opened while they lived, as long as their address
//! space is held. Each is a descriptor: of the calm one is kept, of who comes into danger both.

use std::fs::File;

use lastgasp_inferior::{AddrRange, LiveProcess, Mapping, PageMap, Resident, Usage, resident_by};

/// The files, opened.
#[derive(Debug)]
pub struct Places {
    /// What of each mapping is resident: until the process is reaped.
    mappings: Option<File>,
    /// Which pages are in memory: after that, too. But where they are to be looked for must be known.
    pages: PageMap,
}

/// What they say of the dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OfTheDead {
    /// All mappings, and what they sum up to.
    Whole(Usage, Vec<Resident>),
    /// The Go heap and the program's variables; that there was more is known from before. What was resident
    /// then, or now if that is more.
    Heap(Usage, Vec<Resident>),
}

impl Places {
    /// Opens what is kept of a calm process.
    ///
    /// # Errors
    /// The system's error: it has ended.
    pub(crate) fn open(process: &LiveProcess) -> std::io::Result<Self> {
        Ok(Self { mappings: None, pages: process.page_map()? })
    }

    /// Opens the rest of one that comes into danger. Who has died by then is known by its heap.
    pub(crate) fn danger(&mut self, process: &LiveProcess) {
        if self.mappings.is_none() {
            self.mappings = process.residency_file().ok();
        }
    }

    /// The danger is over.
    pub(crate) fn calm(&mut self) {
        self.mappings = None;
    }

    /// Where the pages of the dead are. `arenas` are the Go heap's; `last` is what was resident when that was
    /// seen last.
    pub(super) fn of_the_dead(
        &self,
        arenas: &[AddrRange],
        variables: AddrRange,
        last: Option<Usage>,
    ) -> Option<OfTheDead> {
        if let Some(all) = self.mappings.as_ref().and_then(resident_by) {
            let (swap, page_tables) = last.map_or((0, 0), |u| (u.swap, u.page_tables));
            return Some(OfTheDead::Whole(Usage { swap, page_tables, ..sum_of(&all) }, all));
        }
        if arenas.is_empty() {
            return None;
        }
        let own = |range: AddrRange| self.pages.own_bytes(range).ok();
        let mut all: Vec<Resident> =
            arenas.iter().map(|arena| Some(resident(*arena, false, own(*arena)?))).collect::<Option<_>>()?;
        all.push(resident(variables, true, own(variables)?));
        let known = all.iter().map(|r| r.anon).fold(0, u64::saturating_add);
        // Of one that is gone there are no pages at all.
        let last = last?;
        let grown = known.saturating_sub(last.anon);
        all.push(resident(AddrRange::default(), false, last.anon.saturating_sub(known)));
        let now = Usage { rss: last.rss.saturating_add(grown), anon: last.anon.saturating_add(grown), ..last };
        (known > 0).then_some(OfTheDead::Heap(now, all))
    }
}

/// So many bytes of a process's own in a range, of a file or not.
fn resident(range: AddrRange, of_file: bool, bytes: u64) -> Resident {
    let mapping = Mapping {
        range,
        readable: true,
        writable: true,
        executable: false,
        offset: 0,
        inode: u64::from(of_file),
        path: String::new(),
    };
    Resident { mapping, rss: bytes, anon: bytes, huge: 0 }
}

/// What mappings sum up to.
fn sum_of(residency: &[Resident]) -> Usage {
    let mut sum = Usage::default();
    for r in residency {
        sum.rss = sum.rss.saturating_add(r.rss);
        sum.anon = sum.anon.saturating_add(r.anon);
        let path = r.mapping.path.as_str();
        let shared = ["/dev/shm/", "/dev/zero", "/memfd:", "/SYSV"].iter().any(|p| path.starts_with(p));
        let other = if shared { &mut sum.shmem } else { &mut sum.file };
        *other = other.saturating_add(r.rss.saturating_sub(r.anon));
    }
    sum
}

#[cfg(test)]
mod tests {
    use lastgasp_inferior::{Addr, parse_smaps};

    use super::*;

    #[test]
    fn mappings_sum_up_to_what_status_says() {
        let of = |path: &str, rss, anon| {
            let text = format!("1000-9000 rw-p 00000000 00:00 7 {path}\nRss: {rss} kB\nAnonymous: {anon} kB\n");
            parse_smaps(&text)
        };
        let all = [of("", 100, 100), of("/bin/a", 30, 10), of("/memfd:x (deleted)", 7, 0)].concat();
        let kib = |n: u64| n * 1024;
        let want = Usage { rss: kib(137), anon: kib(110), file: kib(20), shmem: kib(7), ..Usage::default() };
        assert_eq!(sum_of(&all), want);
    }

    /// This very process: all of its mappings; and once those cannot be read any more, what is known of the
    /// heap, with the rest of what there was.
    #[test]
    fn the_mappings_or_else_the_heap() {
        let process = LiveProcess::open(std::process::id() as i32).unwrap();
        let mut places = Places::open(&process).unwrap();
        places.danger(&process);
        let none = AddrRange::default();
        // Other tests of this process take memory and give it back meanwhile (seen: 94 MB, then 55).
        let before = process.usage().unwrap();
        let Some(OfTheDead::Whole(sum, _)) = places.of_the_dead(&[], none, None) else { panic!("it lives") };
        let after = process.usage().unwrap();
        let (least, most) = (before.anon.min(after.anon), before.anon.max(after.anon));
        assert!((least / 2..=most + most / 2 + (4 << 20)).contains(&sum.anon), "{before:?} {sum:?} {after:?}");
        // An empty text, as the kernel gives of one that was reaped.
        places.mappings = File::open("/dev/null").ok();
        let page = 4096u64;
        let heap = vec![1u8; 64 * page as usize];
        let arena = AddrRange::sized(Addr((heap.as_ptr() as u64).next_multiple_of(page)), 60 * page);
        let usage = |anon, file| Usage { rss: anon + file, anon, file, ..Usage::default() };
        let last = usage(100 * page, page);
        for (last, now, rest) in [(last, last, 40 * page), (usage(9 * page, page), usage(60 * page, page), 0)] {
            let Some(OfTheDead::Heap(got, all)) = places.of_the_dead(&[arena], none, Some(last)) else {
                panic!("it lives")
            };
            assert_eq!(all.iter().map(|r| r.anon).collect::<Vec<_>>(), [60 * page, 0, rest]);
            assert_eq!(got, now);
        }
        assert_eq!(places.of_the_dead(&[AddrRange::sized(Addr(0x1000), page)], none, Some(last)), None, "it is gone");
        assert_eq!(heap[heap.len() - 1], 1);
    }
}
