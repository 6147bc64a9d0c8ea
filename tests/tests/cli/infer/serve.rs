//! `infer serve`: what it answers, what it refuses, and what it survives.

mod access;
mod deploy;
mod faults;
mod help;
mod page;
mod pictures;
mod protocol;
mod signals;

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tests::Shell;

use super::shell;

/// Whoever waits longer than this has found a fault.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server, on a port of its own.
struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: SocketAddr,
    shell: Shell,
}

/// An answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Server {
    /// The shipped model.
    fn start(arguments: &[&str]) -> Self {
        Self::start_in(shell(), arguments)
    }

    fn start_in(shell: Shell, arguments: &[&str]) -> Self {
        let all = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        let errors = File::create(shell.path("stderr")).unwrap();
        let mut child = shell.command(&all).stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address =
            line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            panic!("{line:?}, {}", std::fs::read_to_string(shell.path("stderr")).unwrap());
        };
        Self { child, stdout, address, shell }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes and reads until the server closes the connection.
    fn exchange(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // It may answer, and close, before it has read all.
        let _ = stream.write_all(request);
        read(stream)
    }

    fn get(&self, target: &str) -> Answer {
        self.get_with(target, "")
    }

    /// `headers` end in line breaks.
    fn get_with(&self, target: &str, headers: &str) -> Answer {
        self.exchange(
            format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", self.address)
                .as_bytes(),
        )
    }

    fn post(&self, target: &str, headers: &str, body: &[u8]) -> Answer {
        self.exchange(&[self.post_head(target, headers, body.len()).as_bytes(), body].concat())
    }

    fn post_head(&self, target: &str, headers: &str, length: usize) -> String {
        format!(
            "POST {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n",
            self.address
        )
    }

    /// Asks the shipped model.
    fn infer(&self, request: &Value) -> Answer {
        self.post(INFER, "", request.to_string().as_bytes())
    }

    /// A figure of `/metrics`.
    fn figure(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    fn signal(&self, signal: &str) {
        let killed = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    fn stderr(&self) -> String {
        std::fs::read_to_string(self.shell.path("stderr")).unwrap()
    }

    /// Waits until `found` is.
    fn wait_until(&self, what: &str, mut found: impl FnMut() -> bool) {
        let started = Instant::now();
        while !found() {
            assert!(started.elapsed() < PATIENCE, "{what}; stderr: {}", self.stderr());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it; gives its status and what else it wrote to standard output.
    fn stop(mut self) -> (ExitStatus, String) {
        self.signal("-TERM");
        let status = self.child.wait().unwrap();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (status, rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the shipped model draws.
const INFER: &str = "/v2/models/mnist-generator/infer";

/// What a server sends until it closes the connection.
fn read(mut stream: impl Read) -> Answer {
    let mut bytes = Vec::new();
    // A connection that the server resets ends too.
    let _ = stream.read_to_end(&mut bytes);
    Answer::parse(&bytes).unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&bytes)))
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).ok()?.to_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let answer = Self { status, head, body: bytes[end + 4..].to_vec() };
        // All of it, or none.
        let whole =
            answer.header("content-length").is_none_or(|length| length == answer.body.len().to_string());
        whole.then_some(answer)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// Asserts a refusal: this status, and one sentence that has this part.
    #[track_caller]
    fn assert_refused(&self, status: u16, part: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        let error = self.json()["error"].as_str().map(String::from).unwrap_or_default();
        assert!(error.contains(part), "expected {part:?} in {error:?}");
        assert_eq!(error.lines().count(), 1, "{error:?}");
    }
}
