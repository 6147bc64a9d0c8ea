//! What `infer serve` can be told.

use std::{net::SocketAddr, net::ToSocketAddrs, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::Args;
use contract::number::{from_one, whole};
use infer::{ModelFile, cli::Running};

use crate::common::{Chosen, generator, model_file};

pub const EXAMPLES: &str = "\
Examples:
  infer serve                                      the shipped model, on http://127.0.0.1:8080
  infer serve --model a.onnx --model b.onnx        two models, called a and b after their files
  infer serve --listen 0.0.0.0:8080 --token-file token
                                                   for other machines that send what is in token
  infer serve --access-log access.jsonl            a JSON line for each request
  curl -O 'http://127.0.0.1:8080/digits/2024.png?seed=7&scale=4'
  curl -d '{\"inputs\": [{\"name\": \"label\", \"shape\": [1], \"datatype\": \"INT64\", \"data\": [5]}]}' \\
    http://127.0.0.1:8080/v2/models/mnist-generator/infer

It speaks the Open Inference Protocol, version 2; /openapi.json describes all routes. The address is the
first line of the output. SIGTERM and Ctrl-C answer what is under way, then end; SIGHUP reads the models
anew. Exit status: 0 stopped; 1 this machine can't (the address is taken); 2 the request can't be served.";

/// The largest body that can be allowed, in MiB.
const LARGEST_BODY: usize = 1024;
/// A day.
const LONGEST_TIMEOUT: usize = 86_400;

#[derive(Debug, Args)]
pub struct Request {
    /// A generator, a file that `cargo export` wrote, or one that comes with infer: avatars, or the
    /// default, mnist-generator; once for each
    #[arg(short, long = "model", value_name = "FILE", value_parser = generator())]
    pub models: Vec<Chosen>,
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = address)]
    pub listen: SocketAddr,
    /// The judge for `verify`, a file that `cargo export --checkpoint judge.safetensors` wrote [default:
    /// the one that comes with infer, which reads MNIST's digits]
    #[arg(long, value_name = "FILE", value_parser = model_file())]
    pub judge: Option<ModelFile>,
    /// Serve only who sends the token in this file, as `Authorization: Bearer …` or as the password of a
    /// browser's dialogue; /v2/health/… stays open
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Let pages of this origin, such as https://example.org, read answers
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    pub allow_origin: Option<String>,
    /// Append a JSON line for each request to this file, or - for standard output
    #[arg(long, value_name = "FILE")]
    pub access_log: Option<PathBuf>,
    /// Images that go through the network at once, at most
    #[arg(long, value_name = "N", default_value = "64", value_parser = from_one::<4096>)]
    pub batch_size: NonZeroUsize,
    /// How long an image waits for others to go with it where there were some before, at most, in milliseconds
    #[arg(long, value_name = "MS", default_value = "1", value_parser = whole::<0, 1000>)]
    pub batch_wait: usize,
    /// Images of each model that may be under way, at most; what is more is answered with status 503
    #[arg(long, value_name = "N", default_value = "1024", value_parser = from_one::<1_000_000>)]
    pub queue: NonZeroUsize,
    /// The largest body of a request, in MiB
    #[arg(long, value_name = "MIB", default_value = "8", value_parser = from_one::<LARGEST_BODY>)]
    pub largest_body: NonZeroUsize,
    /// How long a client may take to send a request, or to take a part of the answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = from_one::<LONGEST_TIMEOUT>)]
    pub timeout: NonZeroUsize,
    /// Copies of the model, which share the threads evenly [default: one for each four threads]
    #[arg(long, value_name = "N", value_parser = from_one::<1024>)]
    pub workers: Option<NonZeroUsize>,
    #[command(flatten)]
    pub running: Running,
}

impl Request {
    /// How long an image waits for others.
    pub fn wait(&self) -> Duration {
        Duration::from_millis(self.batch_wait as u64)
    }

    /// How long a client may take.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout.get() as u64)
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let expected = || "expected an address and a port, such as 127.0.0.1:8080 or [::1]:8080".to_string();
    text.to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or_else(expected)
}

/// Scheme, host and port, as browsers send it.
fn origin(text: &str) -> Result<String, String> {
    let host = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let is_host = |host: &str| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    match host.is_some_and(is_host) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("expected an origin, such as https://example.org, without a path".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_port_and_origins_no_path() {
        assert_eq!(address("127.0.0.1:80"), Ok(SocketAddr::from(([127, 0, 0, 1], 80))));
        assert!(address("[::1]:0").is_ok_and(|address| address.ip().is_loopback()));
        for text in ["127.0.0.1", "80", "", "127.0.0.1:65536"] {
            assert!(address(text).is_err(), "{text}");
        }
        assert_eq!(origin("https://Example.org:8443"), Ok("https://example.org:8443".into()));
        for text in ["*", "example.org", "https://", "https://a/b", "https://a b", "null", "ftp://a"] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
