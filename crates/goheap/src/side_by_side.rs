//! Two pieces of work that need nothing of each other, each on a thread.

/// Does both, `here` on this thread; one after the other where there is no second thread to be had.
pub fn side_by_side<A, B: Send>(here: impl FnOnce() -> A, mut there: impl FnMut() -> B + Send) -> (A, B) {
    let (a, done) = std::thread::scope(|scope| {
        let other = std::thread::Builder::new().spawn_scoped(scope, &mut there);
        let a = here();
        (a, other.map(std::thread::ScopedJoinHandle::join))
    });
    let b = match done {
        Ok(Ok(b)) => b,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        // No thread took it.
        Err(_) => there(),
    };
    (a, b)
}

#[cfg(test)]
mod tests {
    use super::side_by_side;

    #[test]
    fn both_are_done_and_a_panic_comes_through() {
        let mut seen = Vec::new();
        assert_eq!(side_by_side(|| seen.push(1), || 2), ((), 2));
        assert_eq!(seen, [1]);
        let lost = std::panic::catch_unwind(|| {
            side_by_side(
                || 1,
                || {
                    if seen.len() == 1 {
                        panic!("lost")
                    }
                },
            )
        });
        assert!(lost.is_err());
    }
}
