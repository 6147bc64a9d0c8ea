//! Who may ask, from where, and what is recorded.

use std::fs;

use serde_json::Value;

use super::{INFER, Server, shell};

const TOKEN: &str = "c5b1f0a67e9d4b23";

#[test]
fn only_health_needs_no_token() {
    let shell = shell();
    shell.write("token", format!("{TOKEN}\n"));
    let server = Server::start_in(shell, &["--token-file", "token"]);
    for target in ["/v2/health/live", "/v2/health/ready"] {
        assert_eq!(server.get(target).status, 200, "{target}");
    }
    for target in [
        "/",
        "/assets/page.css",
        "/assets/none",
        "/v2",
        "/v2/models/mnist-generator",
        "/v2/models/mnist-generator/ready",
        "/digits/5.png",
        "/grid.png",
        "/look/walk.gif",
        "/dataset.npz",
        "/dataset/train-labels-idx1-ubyte",
        "/latents",
        "/dimensions",
        "/about",
        "/metrics",
        "/openapi.json",
        "/nothing",
        "/v2/health/",
        "/v2/health/live/",
        "//v2/health/live",
        "/v2/health/live/../../models/mnist-generator",
    ] {
        let answer = server.get(target);
        answer.assert_refused(401, "token");
        assert!(answer.header("www-authenticate").is_some_and(|value| value.contains("bearer")), "{target}");
    }
    server.post(INFER, "", b"{}").assert_refused(401, "token");
    let with = |header: &str| server.get_with("/v2", &format!("Authorization: {header}\r\n")).status;
    assert_eq!(with(&format!("Bearer {TOKEN}")), 200);
    // As a browser sends a password, of any user: `printf user:c5b1f0a67e9d4b23 | base64`.
    assert_eq!(with("Basic dXNlcjpjNWIxZjBhNjdlOWQ0YjIz"), 200);
    for wrong in ["Bearer c5b1f0a67e9d4b22", "Bearer", "Bearer ", TOKEN, "Basic !", "Basic dXNlcjo="] {
        assert_eq!(with(wrong), 401, "{wrong}");
    }
}

#[test]
fn token_files_that_are_none_are_refused() {
    let shell = shell();
    shell.write("short", "abc");
    shell.write("two", "c5b1f0a67e9d4b23\nc5b1f0a67e9d4b23");
    shell.write("binary", b"\xff\xfe");
    let serve = |file: &'static str| ["serve", "--listen", "127.0.0.1:0", "--token-file", file];
    shell.fail(&serve("none"), 2, &["token file none: No such file"]);
    shell.fail(&serve("short"), 2, &["token file short", "16 or more", "openssl rand"]);
    shell.fail(&serve("two"), 2, &["token file two", "one line"]);
    shell.fail(&serve("binary"), 2, &["token file binary"]);
}

#[test]
fn whoever_listens_wider_without_a_token_is_warned() {
    let shell = shell();
    shell.write("token", TOKEN);
    for (arguments, warned) in [
        (&["--listen", "0.0.0.0:0"][..], true),
        (&["--listen", "0.0.0.0:0", "--token-file", "token"], false),
        (&["--listen", "[::1]:0"], false),
    ] {
        let all = [&["serve", "--json"], arguments].concat();
        let mut child = (shell.command(&all))
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        child.kill().unwrap();
        let stderr = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
        if line.is_empty() && stderr.contains("Cannot assign requested address") {
            // A machine without IPv6.
            continue;
        }
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}{stderr}"));
        assert!(said["url"].as_str().unwrap().starts_with("http://"));
        assert_eq!(said["models"][0]["name"], "mnist-generator");
        assert_eq!(said["warnings"].as_array().unwrap().len(), usize::from(warned));
        assert_eq!(stderr.contains("warning: whoever reaches 0.0.0.0:"), warned, "{stderr}");
    }
}

#[test]
fn pages_of_other_origins_read_nothing_unless_they_may() {
    let server = Server::start(&[]);
    let foreign = "Origin: https://example.org\r\n";
    let answer = server.get_with("/v2", foreign);
    assert!(!answer.head.contains("access-control"), "{}", answer.head);

    let shell = shell();
    shell.write("token", TOKEN);
    let server = Server::start_in(shell, &["--allow-origin", "https://example.org", "--token-file", "token"]);
    let authorized = format!("Authorization: Bearer {TOKEN}\r\n");
    let allowed = server.get_with("/v2", &format!("{foreign}{authorized}"));
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://example.org"));
    assert_eq!(allowed.header("vary"), Some("origin"));
    for other in ["https://example.com", "null", "http://example.org", "https://example.org.evil.com"] {
        let answer = server.get_with("/v2", &format!("Origin: {other}\r\n{authorized}"));
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None), "{other}");
    }
    let preflight = |origin: &str| {
        server.exchange(
            format!(
                "OPTIONS {INFER} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nOrigin: {origin}\r\n\
                 Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n"
            )
            .as_bytes(),
        )
    };
    let answer = preflight("https://example.org");
    assert_eq!(answer.status, 204);
    assert!(
        answer.header("access-control-allow-headers").is_some_and(|names| names.contains("authorization"))
    );
    assert_eq!(preflight("https://example.com").status, 401);
    shell_refuses_origin("*");
}

fn shell_refuses_origin(origin: &str) {
    shell().fail(
        &["serve", "--allow-origin", origin],
        2,
        &["expected an origin, such as https://example.org"],
    );
}

#[test]
fn the_access_log_has_a_line_for_each_request() {
    let server = Server::start(&["--access-log", "access.jsonl"]);
    server.get("/v2");
    server.get("/digits/5.png?seed=%227%22");
    server.signal("-HUP");
    server.wait_until("the models aren't read", || server.stderr().contains("read anew"));
    fs::rename(server.shell.path("access.jsonl"), server.shell.path("old.jsonl")).unwrap();
    server.signal("-HUP");
    server.wait_until("the log isn't begun anew", || server.shell.path("access.jsonl").exists());
    server.get("/nothing");
    let shell_path = |name: &str| server.shell.path(name);
    let (old, new) = (shell_path("old.jsonl"), shell_path("access.jsonl"));
    let mut server = server;
    server.signal("-TERM");
    assert!(server.child.wait().unwrap().success());
    let lines = |path| -> Vec<Value> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (old, new) = (lines(old), lines(new));
    let targets: Vec<_> =
        old.iter().map(|line| (line["target"].as_str().unwrap(), &line["status"])).collect();
    assert_eq!(targets[0], ("/v2", &Value::from(200)));
    assert_eq!(targets[1].1, 400);
    assert_eq!((&new[0]["target"], &new[0]["status"]), (&Value::from("/nothing"), &Value::from(404)));
    assert_eq!((&old[0]["method"], &old[0]["client"]), (&Value::from("GET"), &Value::from("127.0.0.1")));
    assert!(
        old[0]["time"].as_str().unwrap().starts_with("20") && old[0]["milliseconds"].as_f64().unwrap() >= 0.0
    );
    assert!(old[0]["bytes"].as_u64().unwrap() > 0);
}

#[test]
fn the_access_log_may_be_standard_output() {
    let server = Server::start(&["--access-log", "-"]);
    server.get("/v2/health/live");
    let (status, rest) = server.stop();
    assert!(status.success());
    let line = rest.lines().find(|line| line.starts_with('{')).unwrap();
    assert_eq!(serde_json::from_str::<Value>(line).unwrap()["target"], "/v2/health/live");
}
