//! Targets that read what others send: bodies that tell of changes, answers of configuration servers and of
//! Prometheus, pages of metrics.

/// A request to tell of a change; the first byte chooses its headers.
pub fn changes(data: &[u8]) {
    lastgasp_agent::foreign::told(data);
}

/// Answers of servers, in pieces whose size is the first byte.
pub fn answers(data: &[u8]) {
    lastgasp_agent::foreign::answers(data);
}
