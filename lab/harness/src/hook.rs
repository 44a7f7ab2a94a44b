//! Somebody who is told by webhooks: a server on loopback that keeps what it is sent, by http or by https
//! with a certificate that it has made for itself.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use anyhow::Result;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Listens; gives its address, and the bodies in the order of their coming. Answers with `codes` one after
/// the other, and with the last of them from then on.
///
/// # Errors
/// No port can be had.
pub fn listen(codes: &'static [u16]) -> Result<(String, Receiver<String>)> {
    serve("http", codes, Ok)
}

/// The same by https; gives its certificate in PEM too, for who is to trust it.
///
/// # Errors
/// No port or no certificate can be had.
pub fn listen_by_https(codes: &'static [u16]) -> Result<(String, Receiver<String>, String)> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key)?);
    let (url, bodies) =
        serve("https", codes, move |stream| Ok(StreamOwned::new(ServerConnection::new(Arc::clone(&config))?, stream)))?;
    Ok((url, bodies, cert.pem()))
}

fn serve<S: Read + Write>(
    scheme: &str,
    codes: &'static [u16],
    open: impl Fn(TcpStream) -> Result<S> + Send + 'static,
) -> Result<(String, Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("{scheme}://{}/hook", listener.local_addr()?);
    let (sender, bodies) = channel();
    std::thread::spawn(move || -> Result<()> {
        let mut codes = codes.iter().peekable();
        loop {
            let stream = open(listener.accept()?.0)?;
            // Who does not trust us hangs up: no word, and no answer of ours is used up.
            let mut reader = BufReader::new(stream);
            let Ok(body) = body(&mut reader) else { continue };
            let code = if codes.len() > 1 { codes.next() } else { codes.peek().copied() }.copied().unwrap_or(200);
            let answer = format!("HTTP/1.1 {code} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            reader.get_mut().write_all(answer.as_bytes())?;
            reader.get_mut().flush()?;
            sender.send(body)?;
        }
    });
    Ok((url, bodies))
}

/// What stands behind the head of a request.
fn body<S: Read>(reader: &mut BufReader<S>) -> Result<String> {
    let (mut length, mut line) = (0, String::new());
    while reader.read_line(&mut line)? > 2 {
        if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse()?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(String::from_utf8(body)?)
}
