//! Just enough HTTP/1.1 to talk to a `kubectl proxy` on one connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

pub(super) struct Client {
    address: String,
    stream: BufReader<TcpStream>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Client {
    /// A client of `http://ADDRESS:PORT`.
    pub(super) fn new(url: &str) -> Self {
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let stream = TcpStream::connect(&address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            address,
            stream: BufReader::new(stream),
        }
    }

    pub(super) fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, "", b"")
    }

    pub(super) fn send(&mut self, method: &str, path: &str, content_type: &str, body: &Value) -> Answer {
        self.request(
            method,
            path,
            &format!("Content-Type: {content_type}\r\n"),
            body.to_string().as_bytes(),
        )
    }

    fn request(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\n{headers}Content-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let message = [head.as_bytes(), body].concat();
        self.stream.get_mut().write_all(&message).unwrap();
        self.answer()
    }

    fn answer(&mut self) -> Answer {
        let status = self.line().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        if let Some(length) = answer.header("content-length") {
            answer.body = self.bytes(length.parse().unwrap());
        } else if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = usize::from_str_radix(&self.line(), 16).unwrap();
                answer.body.extend(self.bytes(size));
                assert_eq!(self.line(), "");
                if size == 0 {
                    break;
                }
            }
        }
        answer
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The API server's message about a rejection; its whole answer otherwise.
    pub(super) fn message(&self) -> String {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        let json = serde_json::from_str::<Value>(&text).unwrap_or_default();
        json["message"].as_str().map_or(text, str::to_owned)
    }

    /// The texts of the `Warning` headers.
    pub(super) fn warnings(&self) -> Vec<String> {
        let values = self.headers.iter().filter(|(name, _)| name == "warning");
        values
            .map(|(_, value)| unquoted(value.strip_prefix("299 - ").unwrap()))
            .collect()
    }

    fn header(&self, wanted: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    }
}

/// The text in a quoted string of a header.
fn unquoted(text: &str) -> String {
    let mut out = String::new();
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}
