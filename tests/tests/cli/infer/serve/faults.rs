//! Clients that are slow, malicious or gone, and more of them than there is room for.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{Answer, INFER, Server, read, shell};

/// A request for so many images, in binary.
fn request(images: usize) -> Vec<u8> {
    let labels = vec![5; images];
    json!({
        "inputs": [{"name": "label", "shape": [images], "datatype": "INT64", "data": labels}],
        "parameters": {"seed": 7, "binary_data_output": true},
    })
    .to_string()
    .into_bytes()
}

/// Resident memory of a server, in MiB.
fn memory(server: &Server) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

#[test]
fn a_thousand_slow_clients_hold_nobody_up_and_are_closed() {
    let server = Server::start(&["--timeout", "4"]);
    server.get("/digits/5.png?seed=7");
    let before = memory(&server);
    let started = Instant::now();
    let head = format!("GET /digits/5.png HTTP/1.1\r\nHost: {}\r\n", server.address);
    // A third sends its head byte by byte, a third its body, and a third says nothing.
    let body = [server.post_head(INFER, "", 1000).as_bytes(), b"{"].concat();
    let mut slow: Vec<TcpStream> = (0..1000)
        .map(|i| {
            let mut stream = server.connect();
            match i % 3 {
                0 => stream.write_all(&body).unwrap(),
                1 => stream.write_all(b"G").unwrap(),
                _ => {}
            }
            stream
        })
        .collect();
    let mut at = 1;
    while started.elapsed() < Duration::from_secs(3) {
        for (i, stream) in slow.iter_mut().enumerate() {
            let byte = if i % 3 == 0 { b" " } else { &head.as_bytes()[at..=at] };
            if i % 3 < 2 {
                let _ = stream.write_all(byte);
            }
        }
        at += 1;
        let asked = Instant::now();
        let answer = server.post(INFER, "", &request(1));
        assert_eq!(answer.status, 200);
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        thread::sleep(Duration::from_millis(700));
    }
    assert!(server.figure("infer_connections_open") >= 1000.0);
    let held = memory(&server) - before;
    assert!(held < 64.0, "1000 slow clients take {held} MiB");
    // Though they go on sending, all are closed: those with half a body are told.
    for (i, mut stream) in slow.into_iter().enumerate() {
        let mut said = Vec::new();
        loop {
            let mut bytes = [0; 512];
            stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            match stream.read(&mut bytes) {
                Ok(0) => break,
                Ok(n) => said.extend_from_slice(&bytes[..n]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    assert!(started.elapsed() < Duration::from_secs(30), "client {i} is still served");
                    let _ = stream.write_all(b"x");
                }
                Err(_) => break,
            }
        }
        if i % 3 == 0 {
            Answer::parse(&said).unwrap().assert_refused(408, "took longer than 4 s");
        }
    }
    server.wait_until("connections stay open", || server.figure("infer_connections_open") <= 1.0);
}

#[test]
fn what_is_too_large_is_refused() {
    let server = Server::start(&["--largest-body", "1"]);
    // Announced, and not: in chunks.
    let body = vec![b' '; (1 << 20) + 1];
    server.post(INFER, "", &body).assert_refused(413, "1048576 bytes at most");
    let head = format!(
        "POST {INFER} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let chunk = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
    server.exchange(&[head.as_bytes(), &chunk].concat()).assert_refused(413, "1048576 bytes at most");
    // A body of just the size is read.
    let mut fits = request(1);
    fits.resize(1 << 20, b' ');
    assert_eq!(server.post(INFER, "", &fits).status, 200);
    // A megabyte of headers: one, and many.
    let one = server.get_with("/v2", &format!("X: {}\r\n", "x".repeat(1 << 20)));
    assert_eq!(one.status, 431);
    let many = server.get_with("/v2", &"X: y\r\n".repeat(1 << 18));
    assert_eq!(many.status, 431);
    let long = server.get(&format!("/{}", "x".repeat(1 << 20)));
    assert!([414, 431].contains(&long.status), "{}", long.status);
    assert_eq!(server.get("/v2").status, 200);
}

#[test]
fn what_is_no_http_is_refused() {
    let server = Server::start(&[]);
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header: a\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let mut stream = server.connect();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 400"), "{:?}", String::from_utf8_lossy(&said));
    }
    assert_eq!(server.get("/v2").status, 200);
    assert_eq!(server.stderr(), "");
}

#[test]
fn more_than_there_is_room_for_is_told_to_come_again() {
    let server = Server::start(&["--queue", "200", "--threads", "1"]);
    let mut answered = [0, 0];
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..24).map(|_| scope.spawn(|| server.post(INFER, "", &request(100)))).collect();
        for client in clients {
            let answer = client.join().unwrap();
            match answer.status {
                200 => answered[0] += 1,
                _ => {
                    answer.assert_refused(503, "try again");
                    assert_eq!(answer.header("retry-after"), Some("1"));
                    answered[1] += 1;
                }
            }
        }
    });
    assert!(answered[0] >= 2 && answered[1] >= 1, "{answered:?}");
    assert_eq!(server.post(INFER, "", &request(200)).status, 200);
    assert_eq!(server.figure("infer_queue_images{model=\"mnist-generator\"}"), 0.0);
    server.post(INFER, "", &request(201)).assert_refused(400, "more than the 200");
}

#[test]
fn clients_that_are_gone_leave_nothing_behind() {
    let server = Server::start(&["--timeout", "2"]);
    // In the middle of a request, of drawing, of an answer; and one that reads nothing.
    for images in [1, 1000] {
        for taken in [0, 1, 100] {
            let body = request(images);
            let mut stream = server.connect();
            stream.write_all(server.post_head(INFER, "", body.len()).as_bytes()).unwrap();
            if taken > 0 {
                stream.write_all(&body).unwrap();
                let mut bytes = vec![0; taken];
                stream.read_exact(&mut bytes).unwrap();
            }
        }
    }
    // Two data sets take all room that there is for them. An archive is answered when it is drawn, so whether
    // one is begun shows in what is refused; one that the question itself kept out is asked for again.
    let begin = |target: &str| {
        let mut stream = server.connect();
        stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
        stream
    };
    let mut datasets = vec![begin("/dataset/train-images-idx3-ubyte?count=100000")];
    datasets[0].read_exact(&mut [0; 1000]).unwrap();
    server.wait_until("data sets don't begin", || {
        datasets.push(begin("/dataset.npz?count=100000"));
        server.get("/dataset.npz?count=1").status == 503
    });
    drop(datasets);
    let mut unread = server.connect();
    let body = request(1000);
    unread.write_all(server.post_head(INFER, "", body.len()).as_bytes()).unwrap();
    unread.write_all(&body).unwrap();
    server.wait_until("their data sets go on", || server.get("/dataset.npz?count=1").status == 200);
    let queue = "infer_queue_images{model=\"mnist-generator\"}";
    server.wait_until("their images stay", || server.figure(queue) == 0.0);
    server.wait_until("connections stay open", || server.figure("infer_connections_open") <= 1.0);
    assert!(server.stop().0.success());
}

#[test]
fn an_address_serves_one_server() {
    let server = Server::start(&[]);
    let address = server.address.to_string();
    shell().fail(
        &["serve", "--listen", &address],
        1,
        &[&address, "another program listens there already", "name another port"],
    );
    assert_eq!(server.get("/v2").status, 200);
    // And is free again at once.
    assert!(server.stop().0.success());
    let mut again = shell().command(&["serve", "--listen", &address, "--quiet"]).spawn().unwrap();
    let started = Instant::now();
    while TcpStream::connect(&address).is_err() {
        assert!(started.elapsed() < super::PATIENCE && again.try_wait().unwrap().is_none());
        thread::sleep(Duration::from_millis(20));
    }
    again.kill().unwrap();
    again.wait().unwrap();
    shell().fail(
        &["serve", "--listen", "192.0.2.1:80"],
        1,
        &["--listen 192.0.2.1:80", "name an address of this machine"],
    );
    shell().fail(&["serve", "--listen", "8080"], 2, &["expected an address and a port"]);
}

#[test]
fn requests_on_one_connection_follow_each_other() {
    let server = Server::start(&[]);
    let get = |target: &str, close: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n{close}\r\n");
    let mut stream = server.connect();
    let pipelined =
        [get("/v2", ""), get("/nothing", ""), get("/v2/health/live", "Connection: close\r\n")].concat();
    stream.write_all(pipelined.as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    let statuses: Vec<&str> = said.match_indices("HTTP/1.1 ").map(|(at, _)| &said[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "404", "200"]);
    // An old client, and a HEAD.
    let mut stream = server.connect();
    stream.write_all(b"GET /v2 HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(read(stream).status, 200);
    let mut stream = server.connect();
    stream.write_all(b"HEAD /about HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("\r\n\r\n"), "{said}");
}
