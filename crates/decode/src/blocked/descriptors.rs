//! What descriptors are that goroutines wait for: by what the kernel says of a live process.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use lastgasp_diagnosis::facts::GraphFacts;
use lastgasp_observe::kernel::sockets::Described;

/// The descriptors that goroutines wait for.
#[must_use]
pub fn awaited_descriptors(graph: &GraphFacts) -> HashSet<i64> {
    let objects = graph.blocked.iter().flat_map(|b| &b.objects);
    objects.filter_map(|o| o.descriptor.as_ref()?.fd).collect()
}

/// Puts what they are to the facts.
pub fn describe_descriptors<S: BuildHasher>(graph: &mut GraphFacts, of: &HashMap<i64, Described, S>) {
    let objects = graph.blocked.iter_mut().flat_map(|b| &mut b.objects);
    for descriptor in objects.filter_map(|o| o.descriptor.as_mut()) {
        let Some(known) = descriptor.fd.and_then(|fd| of.get(&fd)) else { continue };
        descriptor.what.clone_from(&known.what);
        descriptor.peer_within = known.peer_within;
        if let Some(socket) = &known.socket {
            descriptor.local.clone_from(&socket.local);
            descriptor.peer.clone_from(&socket.peer);
            socket.state.clone_into(&mut descriptor.state);
            descriptor.receive_queue = socket.receive_queue;
            descriptor.send_queue = socket.send_queue;
        }
    }
}

#[cfg(test)]
mod tests {
    use lastgasp_diagnosis::facts::{BlockedGoroutines, Descriptor, WaitObject};
    use lastgasp_observe::kernel::sockets::Socket;

    use super::*;

    #[test]
    fn each_by_its_number_and_the_others_as_they_were() {
        let of = |fd| WaitObject {
            descriptor: Some(Descriptor { fd, has_deadline: Some(true), ..Descriptor::default() }),
            ..WaitObject::default()
        };
        let objects = vec![of(Some(3)), of(Some(4)), of(None), WaitObject::default()];
        let blocked = Some(BlockedGoroutines { objects, ..BlockedGoroutines::default() });
        let mut graph = GraphFacts { blocked, ..GraphFacts::default() };
        assert_eq!(awaited_descriptors(&graph), [3, 4].into());
        let socket = Socket { peer: "192.0.2.1:443".into(), receive_queue: Some(7), ..Socket::default() };
        let described = Described { what: "tcp".into(), socket: Some(socket), peer_within: false };
        describe_descriptors(&mut graph, &HashMap::from([(4, described)]));
        let told = |i: usize| graph.blocked.as_ref().unwrap().objects[i].descriptor.clone();
        assert_eq!(told(0), of(Some(3)).descriptor);
        let four = told(1).unwrap();
        assert_eq!((four.what.as_str(), four.peer.as_str(), four.receive_queue), ("tcp", "192.0.2.1:443", Some(7)));
        assert_eq!((four.has_deadline, told(3)), (Some(true), None));
    }
}
