//! What a worker says: messages on the line, and what is in them.

use lastgasp_diagnosis::facts::GraphFacts;
use lastgasp_observe::target::inspect::{FileSays, NotInspected};
use lastgasp_worker::frame::{Inbox, framed};
use lastgasp_worker::{Said, parse, parse_answer};

/// The bytes as they come on the line; the same as the inside of a message whose checksum is right.
pub fn worker(data: &[u8]) {
    let whole = framed(data).unwrap_or_default();
    for line in [data, whole.as_slice()] {
        let mut inbox = Inbox::default();
        for piece in line.chunks(7) {
            inbox.push(piece);
            while let Ok(Some(message)) = inbox.take() {
                if let Ok(said) = parse::<Said<GraphFacts>>(&message) {
                    // What is believed is said again.
                    let _ = serde_json::to_vec(&said);
                }
                if let Ok(Said::Whole { answer: Ok(all), .. }) =
                    parse::<Said<Result<Vec<FileSays>, NotInspected>>>(&message)
                {
                    for says in &all {
                        let _ = matches!(says, FileSays::Go(go) if go.can_be());
                    }
                    let _ = serde_json::to_vec(&all);
                }
                let lengths: Vec<usize> = message.iter().take(4).map(|b| usize::from(*b)).collect();
                let _ = parse_answer(&message, &lengths);
            }
        }
    }
}
