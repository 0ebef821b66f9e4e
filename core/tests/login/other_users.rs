//! Other users of this computer, who can read the address of a login from the command line of the
//! browser.

use super::scene::*;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// Neither root nor the user that runs the tests.
const OTHER: u32 = 65534;

/// A process of another user, which connects to a port and talks to the test over its standard
/// streams.
struct Stranger {
    process: Child,
    says: BufReader<std::process::ChildStdout>,
}

impl Stranger {
    /// Returns `None` and prints the reason if no process can run as another user.
    fn new(script: &str, port: u16, request: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root can start a program of another user");
            return None;
        }
        let script = format!(
            "import socket, struct, sys\nport, request = int(sys.argv[1]), sys.argv[2].encode()\n{script}"
        );
        let started = Command::new("python3")
            .args(["-I", "-S", "-c", &script, &port.to_string(), request])
            .current_dir("/")
            .uid(OTHER)
            .gid(OTHER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut process) = started else {
            println!("skipped: there is no python3 here that another user can run");
            return None;
        };
        let says = BufReader::new(process.stdout.take().unwrap());
        Some(Stranger { process, says })
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const ASKS: &str = "
stream = socket.create_connection(('127.0.0.1', port))
stream.sendall(request)
print('sent', flush=True)
answer = b''
while block := stream.recv(4096):
    answer += block
print(answer.split()[1].decode(), b'different users' in answer, flush=True)
sys.stdin.read()
";

const CLOSES: &str = "
stream = socket.create_connection(('127.0.0.1', port))
stream.sendall(request)
stream.close()
print('sent', flush=True)
";

const RESETS: &str = "
stream = socket.create_connection(('127.0.0.1', port))
stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
stream.sendall(request)
stream.close()
print('sent', flush=True)
";

const FLOODS: &str = "
streams = [socket.create_connection(('127.0.0.1', port)) for _ in range(100)]
print('sent', flush=True)
sys.stdin.read()
";

#[test]
fn i9_12_a_redirect_of_another_user_is_refused_and_the_login_continues() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    // The other user logs in with an own account at the address of this login.
    let (port, forged) = get(&scene.browse(&login, json!({})));
    let Some(mut stranger) = Stranger::new(ASKS, port, &forged) else { return };
    assert_eq!(stranger.hear(), "sent");
    assert!(is_pending(&login));
    assert_eq!(stranger.hear(), "403 True");
    assert_eq!(scene.simulator.count("user.token").unwrap(), 0);
    let (port, request) = get(&scene.browse(&login, json!({})));
    assert_eq!(status(&exchange(&login, port, &request)), 200);
    assert!(matches!(login.poll(), Ok(Some(_))));
}

/// The kernel shows a closed socket as root's, and does not show a socket that was reset.
#[test]
fn i9_12_another_user_who_closes_the_connection_at_once_is_refused() {
    for script in [CLOSES, RESETS] {
        let scene = Scene::new();
        let login = start(&scene.desktop());
        let (port, forged) = get(&scene.browse(&login, json!({})));
        let Some(mut stranger) = Stranger::new(script, port, &forged) else { return };
        assert_eq!(stranger.hear(), "sent");
        stranger.process.wait().unwrap();
        assert!(is_pending(&login), "{script}");
        assert!(is_pending(&login), "{script}");
        assert_eq!(scene.simulator.count("user.token").unwrap(), 0);
    }
}

#[test]
fn i9_12_connections_of_another_user_do_not_block_the_login() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let (port, request) = get(&scene.browse(&login, json!({})));
    let mut own = send(port, request.split_at(20).0);
    let Some(mut stranger) = Stranger::new(FLOODS, port, "") else { return };
    assert_eq!(stranger.hear(), "sent");
    assert!(is_pending(&login) && is_pending(&login));
    own.write_all(request.split_at(20).1.as_bytes()).unwrap();
    assert_eq!(status(&answer(&login, own)), 200);
    assert!(matches!(login.poll(), Ok(Some(_))));
}

#[test]
fn i9_12_a_request_is_read_before_its_connection_is_closed_for_newer_ones() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let (port, request) = get(&scene.browse(&login, json!({})));
    let own = send(port, &request);
    let silent: Vec<TcpStream> =
        (0..60).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    assert_eq!(status(&answer(&login, own)), 200);
    drop(silent);
}
