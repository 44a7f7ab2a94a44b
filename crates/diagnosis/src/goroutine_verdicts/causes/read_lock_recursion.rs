//! A read lock that is taken again by who has it, with a writer waiting in between. The page:
//! `read-lock-recursion.md`.

use crate::facts::{WaitObjectKind, WaitOperation};
use crate::owner::is_standard_library;
use crate::rival::Rival;

use super::super::scene::Seen;
use super::super::verdict::{Holder, Sureness};
use super::super::wait_graph::End;
use super::super::{holders, words};
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct ReadLockRecursion;

impl Cause for ReadLockRecursion {
    const INFO: RuleInfo = RuleInfo {
        code: "read-lock-recursion",
        title: "a read lock is taken again by who holds it, and a writer waits in between",
        doc: include_str!("read-lock-recursion.md"),
    };
    const CURE: &'static str = "Do not call what takes the read lock again from {place} while it is held: split it into an outer function that locks and an inner one that expects the lock.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let chain = case.chain.as_ref()?;
        let (_, object) = case.seen.lock()?;
        let o = scene.blocked.objects.get(object)?;
        let pending = o.kind == WaitObjectKind::RwMutex && o.lock.is_some_and(|l| l.readers > 0 && l.writer);
        if pending && chain.end == End::Unknown(object) && chain.links.len() == 1 {
            return by_stack(scene, object);
        }
        let [reader] = chain.ring() else { return None };
        let reads = scene.blocked_by_id(reader.goroutine)?.does(&WaitOperation::ReadLock);
        if !pending || !reads || reader.object != object {
            return None;
        }
        let who = words::goroutine(scene, reader.goroutine);
        let clause = format!(
            "{who} seems to hold {} for reading and would read it again, behind a writer that waits for its first read to end",
            words::object(o)
        );
        let holders = holders::told(scene, object, None);
        let rivals = vec![Rival::open(
            "a reader that left without RUnlock",
            "whether the function further out on the stack of that reader took the read lock",
        )];
        Some(Judged::sure(clause).with(chain.sureness, rivals).held_by(holders))
    }
}

/// Where nobody shows a sign of holding it: the one reader that waits deep enough in the program for a
/// function further out to have read the lock already.
fn by_stack(scene: &Scene<'_>, object: usize) -> Option<Judged> {
    let waits = |s: &Seen<'_>| s.lock().is_some_and(|(op, o)| o == object && *op == WaitOperation::ReadLock);
    let readers = (0..scene.blocked.each.len()).filter_map(|i| scene.seen(i)).filter(waits);
    let mut deep = readers.filter(|s| own_functions(scene, s) >= DEEP);
    let reader = deep.next().filter(|_| deep.next().is_none())?;
    let o = scene.blocked.objects.get(object)?;
    let who = words::goroutine(scene, reader.g.id);
    let clause = format!(
        "readers hold {}, a writer waits for them, and {who} waits behind the writer: it may hold the lock itself, by a function further out",
        words::object(o)
    );
    let holder = Holder {
        goroutine: reader.g.id,
        function: reader.view.at.map(|f| f.function.clone()).unwrap_or_default(),
        does: words::does(scene, reader.g.id),
        sign: "it is the only reader that waits with other functions of the program further out on its stack".into(),
        sureness: Sureness::Possible,
    };
    let rivals = vec![Rival::open(
        "a reader that left without RUnlock",
        "whether the function further out on the stack of that reader took the read lock",
    )];
    Some(Judged::sure(clause).with(Sureness::Possible, rivals).held_by(vec![holder]))
}

/// Functions of the program on a stack from which on one of them may have locked: that which waits, one that
/// has called it, and that which the goroutine began in.
const DEEP: usize = 3;

fn own_functions(scene: &Scene<'_>, s: &Seen<'_>) -> usize {
    let module = &scene.facts.target.module.path;
    s.view.stack.iter().filter(|f| !is_standard_library(&f.function, module)).take(DEEP).count()
}
