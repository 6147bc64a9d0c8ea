//! SIGHUP reads the models anew, SIGTERM ends the server once all is answered.

use std::{
    fs,
    io::{Read, Write},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use serde_json::json;

use super::{super::tiny_model::TinyModel, Answer, INFER, Server, shell};

#[test]
fn a_broken_file_leaves_the_old_model_and_a_good_one_takes_its_place() {
    let shell = shell();
    let model = |weight| TinyModel { weight, ..TinyModel::default() }.bytes();
    let file = shell.write("dashes.onnx", model(1.0));
    let server = Server::start_in(shell, &["--model", "dashes.onnx"]);
    let drawn = || {
        let request = json!({
            "inputs": [{"name": "label", "shape": [1], "datatype": "INT64", "data": [0]}],
            "parameters": {"seed": 1},
        });
        let answer = server.post("/v2/models/dashes/infer", "", request.to_string().as_bytes());
        assert_eq!(answer.status, 200);
        answer.json()["outputs"][0]["data"].clone()
    };
    let before = drawn();
    for (n, broken) in [&b"no model"[..], &model(1.0)[..200], &model(f32::NAN), b""].into_iter().enumerate() {
        fs::write(&file, broken).unwrap();
        server.signal("-HUP");
        server.wait_until("nothing was said", || server.stderr().lines().count() > n);
        let said = server.stderr();
        let last = said.lines().last().unwrap();
        assert!(
            last.starts_with("error: the models stay as they were: ") && last.contains("dashes.onnx"),
            "{last}"
        );
        assert_eq!(drawn(), before);
    }
    fs::remove_file(&file).unwrap();
    server.signal("-HUP");
    server.wait_until("nothing was said", || server.stderr().lines().count() > 4);
    assert_eq!(drawn(), before);
    assert_eq!(server.figure("infer_failed_reloads_total"), 5.0);

    fs::write(&file, model(2.0)).unwrap();
    server.signal("-HUP");
    server.wait_until("nothing was said", || server.stderr().ends_with("the models were read anew\n"));
    assert_ne!(drawn(), before);
    assert_eq!(server.figure("infer_reloads_total"), 1.0);
}

#[test]
fn a_stop_answers_everything_that_was_accepted() {
    let server = Server::start(&[]);
    let (stopped, sent, answered) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let body = json!({
        "inputs": [{"name": "label", "shape": [20], "datatype": "INT64", "data": vec![5; 20]}],
        "parameters": {"seed": 7, "binary_data_output": true},
    })
    .to_string();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    // A new connection for each request: one that is taken is to be answered.
                    while let Ok(mut stream) = std::net::TcpStream::connect(server.address) {
                        let request = server.post_head(INFER, "", body.len()) + &body;
                        if stream.write_all(request.as_bytes()).is_err() {
                            // The connection waited for a server that has ended.
                            assert!(stopped.load(Ordering::SeqCst));
                            break;
                        }
                        let mut bytes = Vec::new();
                        let _ = stream.read_to_end(&mut bytes);
                        if bytes.is_empty() {
                            assert!(stopped.load(Ordering::SeqCst));
                            break;
                        }
                        sent.fetch_add(1, Ordering::SeqCst);
                        let answer = Answer::parse(&bytes).expect("an answer breaks off");
                        assert_eq!(answer.status, 200);
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        server.wait_until("nothing is answered", || answered.load(Ordering::SeqCst) > 20);
        stopped.store(true, Ordering::SeqCst);
        server.signal("-TERM");
        // It says so to load balancers, and still answers.
        thread::sleep(Duration::from_millis(100));
        server.get("/v2/health/ready").assert_refused(503, "about to end");
        assert_eq!(server.get("/v2/health/live").status, 200);
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
    assert_eq!(sent.load(Ordering::SeqCst), answered.load(Ordering::SeqCst));
    let mut server = server;
    assert!(server.child.wait().unwrap().success());
    assert_eq!(server.stderr(), "");
}

#[test]
fn an_answer_under_way_is_finished() {
    let server = Server::start(&[]);
    let mut stream = server.connect();
    stream
        .write_all(b"GET /dataset/train-images-idx3-ubyte?count=3000&seed=7 HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut begun = vec![0; 1000];
    stream.read_exact(&mut begun).unwrap();
    server.signal("-TERM");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let answer = Answer::parse(&[begun, rest].concat()).expect("the answer breaks off");
    assert_eq!(answer.body.len(), 16 + 3000 * 784);
    let mut server = server;
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn a_client_that_takes_too_long_is_cut_off() {
    let server = Server::start(&["--timeout", "1"]);
    let mut stream = server.connect();
    // More than the system holds for a client that reads nothing.
    stream
        .write_all(b"GET /dataset/train-images-idx3-ubyte?count=20000 HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    thread::sleep(Duration::from_millis(300));
    server.signal("-TERM");
    let mut server = server;
    let status = server.child.wait().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(
        server.stderr().contains("1 connections took longer than 1 s and were cut off"),
        "{}",
        server.stderr()
    );
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < 16 + 20_000 * 784);
}
