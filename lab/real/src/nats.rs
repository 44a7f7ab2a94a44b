//! The text protocol of nats, as far as a load needs it: one connection that publishes, one that listens.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Result, bail};

/// A client.
#[derive(Debug)]
pub struct Client {
    from: BufReader<TcpStream>,
    to: TcpStream,
}

impl Client {
    /// Connects and introduces itself.
    ///
    /// # Errors
    /// The system's, or an answer that is not of nats.
    pub fn connect(address: &str) -> Result<Self> {
        let to = TcpStream::connect(address)?;
        to.set_read_timeout(Some(Duration::from_secs(5)))?;
        to.set_nodelay(true)?;
        let mut client = Self { from: BufReader::new(to.try_clone()?), to };
        let greeting = client.line()?;
        if !greeting.starts_with("INFO ") {
            bail!("{address} is no nats server: {greeting}");
        }
        client.send(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n")?;
        client.settle()?;
        Ok(client)
    }

    /// Asks for the messages of a subject.
    ///
    /// # Errors
    /// The system's.
    pub fn subscribe(&mut self, subject: &str, id: u32) -> Result<()> {
        self.send(format!("SUB {subject} {id}\r\n").as_bytes())?;
        self.settle()
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The system's.
    pub fn publish(&mut self, subject: &str, body: &[u8]) -> Result<()> {
        let mut message = format!("PUB {subject} {}\r\n", body.len()).into_bytes();
        message.extend_from_slice(body);
        message.extend_from_slice(b"\r\n");
        self.send(&message)
    }

    /// Sends a message that is to be answered to `reply`, a subject that was subscribed to.
    ///
    /// # Errors
    /// The system's.
    pub fn ask(&mut self, subject: &str, reply: &str, body: &[u8]) -> Result<()> {
        let mut message = format!("PUB {subject} {reply} {}\r\n", body.len()).into_bytes();
        message.extend_from_slice(body);
        message.extend_from_slice(b"\r\n");
        self.send(&message)
    }

    /// Sends lines of the protocol as they are.
    ///
    /// # Errors
    /// The system's.
    pub fn tell(&mut self, lines: &str) -> Result<()> {
        self.send(lines.as_bytes())
    }

    /// Waits for the next message and gives its length; answers the server's pings meanwhile.
    ///
    /// # Errors
    /// The system's, or what the server complains of.
    pub fn receive(&mut self) -> Result<usize> {
        loop {
            let line = self.line()?;
            if let Some(rest) = line.strip_prefix("MSG ") {
                let len: usize = rest.split_whitespace().next_back().and_then(|n| n.parse().ok()).unwrap_or(0);
                std::io::copy(&mut (&mut self.from).take(len as u64 + 2), &mut std::io::sink())?;
                return Ok(len);
            }
            match line.as_str() {
                "PING" => self.send(b"PONG\r\n")?,
                l if l.starts_with("-ERR") => bail!("nats: {l}"),
                _ => {}
            }
        }
    }

    /// Waits until the server has done what it was told so far.
    ///
    /// # Errors
    /// The system's.
    pub fn settle(&mut self) -> Result<()> {
        self.send(b"PING\r\n")?;
        loop {
            match self.line()?.as_str() {
                "PONG" => return Ok(()),
                "PING" => self.send(b"PONG\r\n")?,
                l if l.starts_with("-ERR") => bail!("nats: {l}"),
                _ => {}
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.to.write_all(bytes)?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.from.read_line(&mut line)? == 0 {
            bail!("the nats server hung up");
        }
        Ok(line.trim_end().to_owned())
    }
}
