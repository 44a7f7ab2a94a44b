//! Somebody who is told by webhooks: a server on loopback that keeps what it is sent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use anyhow::Result;

/// Listens; gives its address, and the bodies in the order of their coming. Answers with `codes` one after the other, and with the last of them from then on.
///
/// # Errors
/// No port can be had.
pub fn listen(codes: &'static [u16]) -> Result<(String, Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    let (sender, bodies) = channel();
    std::thread::spawn(move || -> Result<()> {
        let mut codes = codes.iter().peekable();
        loop {
            let (stream, _) = listener.accept()?;
            let code = if codes.len() > 1 { codes.next() } else { codes.peek().copied() }.copied().unwrap_or(200);
            let mut reader = BufReader::new(&stream);
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line)? > 2 {
                if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse()?;
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let answer = format!("HTTP/1.1 {code} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            (&stream).write_all(answer.as_bytes())?;
            sender.send(String::from_utf8(body)?)?;
        }
    });
    Ok((url, bodies))
}
