//! A request to the redirect receiver: the input is the bytes on the socket.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::login::judged;

const PATH: &str = "/callback";
const AUTHORITY: &str = "127.0.0.1:49152";

fuzz_target!(|data: &[u8]| {
    let status = judged(data, PATH, AUTHORITY);
    assert!([0, 200, 400, 404, 405].contains(&status), "{status}");
    // Only a GET of this path at this host counts as the redirect.
    if status == 200 {
        let request = String::from_utf8_lossy(data);
        let (line, rest) =
            request.trim_start_matches(['\r', '\n']).split_once('\n').expect("a request line");
        let target =
            line.strip_prefix("GET ").and_then(|line| line.split(' ').next()).expect("a GET");
        assert!(target == PATH || target.starts_with("/callback?"), "{target:?}");
        let hosts: Vec<&str> = rest
            .lines()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once(':'))
            .filter(|(name, _)| name.eq_ignore_ascii_case("host"))
            .map(|(_, value)| value.trim_matches([' ', '\t', '\r']))
            .collect();
        assert_eq!(hosts, [AUTHORITY]);
    }
    // Bytes after a complete request change nothing. A partial request is waited for or refused.
    if status != 0 {
        let mut longer = data.to_vec();
        longer.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(judged(&longer, PATH, AUTHORITY), status);
    }
});
