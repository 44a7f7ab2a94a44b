//! Who is served, and who is hung up on: open connections, how far each is, and whose they are.

use std::collections::BTreeMap;
use std::io;
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::stream::{Peer, Stream};

/// Connections that are open at a time, and those of one peer.
pub(super) const MAX_CONNECTIONS: usize = 8;
pub(super) const MAX_OF_A_PEER: usize = 4;
/// Beside them those that are asked what they want, and answered if that is the health.
const MAX_AT_THE_DOOR: usize = 4;

/// Open connections by number: the oldest first.
#[derive(Debug, Default)]
pub(super) struct Connections {
    next: u64,
    open: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    stream: Arc<Stream>,
    peer: Peer,
    stage: Stage,
    /// Whether it is answered if it asks for the health, and not else.
    at_the_door: bool,
}

/// How far a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// We wait for its request.
    Asks,
    /// Its page is being made: it has done its part, and waits for us.
    WaitsForUs,
    /// It takes its answer, and took something of it last then.
    Takes(Instant),
}

/// Who has not taken anything of an answer for so long may be hung up on.
const DEAF: Duration = Duration::from_millis(300);

impl Connections {
    /// Takes a new one in, by its number. Where there are as many as may be, of its peer or in all, the
    /// oldest of these that says nothing, or else the oldest that takes nothing of its answer, is hung up on.
    /// Where there is none, which lasts some seconds at most, it stands at the door, in the place of the
    /// oldest there that says nothing; `None` where nobody there can be hung up on either. Who takes an
    /// answer is not cut short by who comes after it, however many they are.
    pub(super) fn admit(&mut self, stream: &Arc<Stream>, peer: Peer) -> Option<u64> {
        let inside = |c: &Connection| !c.at_the_door;
        let of_peer = |c: &Connection| !c.at_the_door && c.peer == peer;
        let at_the_door = !(self.make_room(MAX_OF_A_PEER, of_peer) && self.make_room(MAX_CONNECTIONS, inside));
        if at_the_door && !self.make_room(MAX_AT_THE_DOOR, |c| c.at_the_door) {
            return None;
        }
        self.next += 1;
        let connection = Connection { stream: Arc::clone(stream), peer, stage: Stage::Asks, at_the_door };
        self.open.insert(self.next, connection);
        Some(self.next)
    }

    /// Whether one more of those may be taken in: somebody is hung up on for it, if need be.
    fn make_room(&mut self, most: usize, of: impl Fn(&Connection) -> bool) -> bool {
        if self.open.values().filter(|c| of(c)).count() < most {
            return true;
        }
        let oldest = |is: fn(Stage) -> bool| self.open.iter().find(|(_, c)| of(c) && is(c.stage)).map(|(id, _)| *id);
        let deaf = |stage| matches!(stage, Stage::Takes(last) if last.elapsed() > DEAF);
        let Some(oldest) = oldest(|stage| stage == Stage::Asks).or_else(|| oldest(deaf)) else { return false };
        if let Some(connection) = self.open.remove(&oldest) {
            // Its thread wakes with an error.
            let _ = connection.stream.shutdown(Shutdown::Both);
        }
        true
    }
}

pub(super) fn lock(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection's place among them, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: u64,
    pub(super) connections: Arc<Mutex<Connections>>,
}

impl Open {
    /// How far it is from now on; an error if it was hung up on.
    pub(super) fn is_at(&self, stage: Stage) -> io::Result<()> {
        let mut connections = lock(&self.connections);
        let own = connections.open.get_mut(&self.id).ok_or(io::ErrorKind::ConnectionAborted)?;
        own.stage = stage;
        Ok(())
    }

    /// Whether it is answered whatever it asks for.
    pub(super) fn is_inside(&self) -> bool {
        lock(&self.connections).open.get(&self.id).is_some_and(|own| !own.at_the_door)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.connections).open.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    /// Places for connections, and a way to open one of a peer.
    fn places() -> (Arc<Mutex<Connections>>, impl Fn(u32) -> Option<Open>) {
        let all = Arc::new(Mutex::new(Connections::default()));
        let same = Arc::clone(&all);
        let open = move |user| {
            let stream = Arc::new(Stream::Unix(UnixStream::pair().unwrap().0));
            let id = lock(&same).admit(&stream, Peer::User(user))?;
            Some(Open { id, connections: Arc::clone(&same) })
        };
        (all, open)
    }

    /// The first to be hung up on is the oldest that does not wait for us.
    #[test]
    fn who_has_asked_is_not_hung_up_on() {
        let (all, open) = places();
        let mut first: Vec<Open> = (0..MAX_CONNECTIONS as u32).map(|user| open(user).unwrap()).collect();
        first[0].is_at(Stage::WaitsForUs).unwrap();
        let ninth = open(100).unwrap();
        assert!(first[1].is_at(Stage::WaitsForUs).is_err(), "hung up on");
        for waiting in first.iter().skip(2).chain([&ninth]) {
            waiting.is_at(Stage::WaitsForUs).unwrap();
        }
        assert!(!open(101).unwrap().is_inside(), "all wait for us");
        // Some take their answers: they are not cut short, until they have taken nothing for a while.
        first[2].is_at(Stage::Takes(Instant::now())).unwrap();
        assert!(!open(101).unwrap().is_inside());
        first[2].is_at(Stage::Takes(Instant::now() - 2 * DEAF)).unwrap();
        assert!(open(101).unwrap().is_inside());
        assert!(first[2].is_at(Stage::WaitsForUs).is_err(), "hung up on");
        first.remove(0);
        assert!(open(101).unwrap().is_inside(), "one has gone");
        drop((first, ninth));
        assert_eq!(lock(&all).open.len(), 0);
    }

    /// Whoever has as many as one may have displaces himself, and at the door too.
    #[test]
    fn one_peer_leaves_places_for_others() {
        let (all, open) = places();
        let mut greedy: Vec<Open> = (0..50).map(|_| open(1).unwrap()).collect();
        assert_eq!(lock(&all).open.len(), MAX_OF_A_PEER);
        assert!(greedy.iter().rev().take(MAX_OF_A_PEER).all(Open::is_inside));
        let of_greedy = greedy.split_off(50 - MAX_OF_A_PEER);
        of_greedy.iter().for_each(|open| open.is_at(Stage::WaitsForUs).unwrap());
        let more: Vec<Open> = (0..50).map(|_| open(1).unwrap()).collect();
        assert_eq!(lock(&all).open.len(), MAX_OF_A_PEER + MAX_AT_THE_DOOR);
        let others: Vec<Open> =
            (2..2 + (MAX_CONNECTIONS - MAX_OF_A_PEER) as u32).map(|user| open(user).unwrap()).collect();
        assert!(others.iter().all(Open::is_inside) && of_greedy.iter().all(Open::is_inside));
        assert!(!more.iter().any(Open::is_inside));
    }
}
