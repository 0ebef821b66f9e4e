//! Which user made a connection to the loopback receiver.
//!
//! The address of a login is on the command line of the browser, with its `state`, and every user
//! of the machine can read command lines. Another user could open the address, log in, and send the
//! browser's redirect to the receiver: the victim would then be logged in as that user. On Linux
//! the kernel tells which user a socket belongs to; on other systems no connection can be
//! attributed.

use crate::user_namespace::unmapped_uid;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// No machine has more sockets than fit into tables of this size.
const MAX_TABLE_BYTES: u64 = 64 * 1024 * 1024;
/// The kernel writes a table page by page, so a read can miss a socket between two pages while
/// others open and close.
const READS: usize = 5;
const ESTABLISHED: u8 = 1;
const LISTEN: u8 = 10;
/// The value of `/proc/self/loginuid` if no user has logged in.
const NO_UID: u32 = u32::MAX;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// This user, the user who logged in at the seat, root, or a user that cannot be determined: a
    /// container's port forwarding, Windows around WSL.
    Accepted,
    /// Another user of this machine.
    OtherUser(u32),
    /// The program has closed its end, and the kernel no longer tells which user it belonged to.
    Gone,
}

/// Users whose connections are accepted.
pub(super) struct Users {
    accepted: Vec<u32>,
    /// The id that the kernel shows for every user outside this user namespace.
    unmapped: Option<u32>,
}

impl Users {
    /// The user of this process, root, and the user who logged in at the seat, whom `su` and `sudo`
    /// do not change.
    pub(super) fn of_this_process() -> Self {
        let number = |path: &str| {
            std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u32>().ok())
        };
        let mut accepted = vec![0];
        #[cfg(unix)]
        {
            let (real, effective) =
                (rustix::process::getuid().as_raw(), rustix::process::geteuid().as_raw());
            accepted.extend([real, effective]);
            if effective == 0 {
                let variable = |name| {
                    std::env::var(name).ok().and_then(|text: String| text.parse::<u32>().ok())
                };
                accepted.extend(["SUDO_UID", "PKEXEC_UID"].into_iter().filter_map(variable));
            }
        }
        accepted.extend(number("/proc/self/loginuid").filter(|uid| *uid != NO_UID));
        Users { accepted, unmapped: unmapped_uid() }
    }

    /// The users at the other end of these connections. Each is given as this end and the other.
    pub(super) fn look(&self, connections: &[(SocketAddr, SocketAddr)]) -> Vec<Peer> {
        let mut found = vec![Owner::Unknown; connections.len()];
        for _ in 0..READS {
            let is_user = |owner: &Owner| matches!(owner, Owner::User(_));
            let Some(tables) = (if found.iter().all(is_user) { None } else { tables() }) else {
                break;
            };
            for (owner, (server, client)) in
                found.iter_mut().zip(connections).filter(|(owner, _)| !is_user(owner))
            {
                let now = owner_of(&tables, *server, *client);
                if now != Owner::Unknown {
                    *owner = now;
                }
            }
        }
        found.into_iter().map(|owner| self.judge(owner)).collect()
    }

    fn judge(&self, owner: Owner) -> Peer {
        match owner {
            Owner::Unknown => Peer::Accepted,
            Owner::Gone => Peer::Gone,
            Owner::User(uid) if self.accepted.contains(&uid) || self.unmapped == Some(uid) => {
                Peer::Accepted
            }
            Owner::User(uid) => Peer::OtherUser(uid),
        }
    }
}

fn tables() -> Option<String> {
    let read = |path: &str| {
        let mut text = String::new();
        File::open(path).ok()?.take(MAX_TABLE_BYTES).read_to_string(&mut text).ok()?;
        Some(text)
    };
    let of_thread = |name: &str| {
        read(&format!("/proc/thread-self/net/{name}"))
            .or_else(|| read(&format!("/proc/net/{name}")))
    };
    match (of_thread("tcp"), of_thread("tcp6")) {
        (None, None) => None,
        (v4, v6) => Some(v4.unwrap_or_default() + &v6.unwrap_or_default()),
    }
}

/// What the kernel's tables say about a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    User(u32),
    Gone,
    /// The socket is in another network namespace, or the tables do not describe this one.
    Unknown,
}

/// The user of the socket at `client` that is connected to `server`, according to the text of
/// `/proc/net/tcp` and `/proc/net/tcp6`.
fn owner_of(tables: &str, server: SocketAddr, client: SocketAddr) -> Owner {
    let (mut is_established, mut is_described) = (false, false);
    for socket in tables.lines().filter_map(Socket::read) {
        if (socket.local, socket.remote) == (client, server) {
            // A socket without a file is closed, and the kernel then shows root as its owner.
            return if socket.inode == 0 { Owner::Gone } else { Owner::User(socket.uid) };
        }
        is_established |=
            (socket.local, socket.remote, socket.state) == (server, client, ESTABLISHED);
        is_described |= socket.state == LISTEN && socket.local == server;
    }
    // After a reset neither end is listed, but data that was sent before can still be read.
    if is_described && !is_established { Owner::Gone } else { Owner::Unknown }
}

/// One line of a table.
struct Socket {
    local: SocketAddr,
    remote: SocketAddr,
    state: u8,
    uid: u32,
    inode: u64,
}

impl Socket {
    /// The columns are: number, local and remote address, state, queues, timer, retransmits, user,
    /// timeout, inode, and more.
    fn read(line: &str) -> Option<Self> {
        let mut columns = line.split_ascii_whitespace();
        let local = address(columns.nth(1)?)?;
        let remote = address(columns.next()?)?;
        let state = u8::from_str_radix(columns.next()?, 16).ok()?;
        let uid = columns.nth(3)?.parse().ok()?;
        let inode = columns.nth(1)?.parse().ok()?;
        Some(Socket { local, remote, state, uid, inode })
    }
}

/// An address as words in this machine's byte order, and a port: `0100007F:1F90`. An IPv4 address
/// mapped into IPv6 becomes IPv4.
fn address(text: &str) -> Option<SocketAddr> {
    let (words, port) = text.split_once(':')?;
    let word = |at: usize| {
        u32::from_str_radix(words.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes)
    };
    let ip = match words.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut octets = [0; 16];
            for (at, place) in octets.chunks_exact_mut(4).enumerate() {
                place.copy_from_slice(&word(at)?);
            }
            IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    /// As the kernel of a little-endian machine writes it; the tests also convert it for big-endian
    /// machines.
    fn word(octets: [u8; 4]) -> String {
        format!("{:08X}", u32::from_ne_bytes(octets))
    }

    fn place(address: SocketAddr, mapped: bool) -> String {
        let ip = match (address.ip(), mapped) {
            (IpAddr::V4(ip), false) => word(ip.octets()),
            (IpAddr::V4(ip), true) => words(ip.to_ipv6_mapped()),
            (IpAddr::V6(ip), _) => words(ip),
        };
        format!("{ip}:{:04X}", address.port())
    }

    fn words(ip: Ipv6Addr) -> String {
        ip.octets().chunks_exact(4).map(|octets| word(octets.try_into().unwrap())).collect()
    }

    fn line(
        local: SocketAddr,
        remote: SocketAddr,
        mapped: bool,
        state: u8,
        uid: u32,
        inode: u64,
    ) -> String {
        format!(
            "   7: {} {} {state:02X} 00000000:00000000 02:000004F2 00000000 {uid:5}        0 {inode} 2 0000000000000000 20 4 30 10 -1\n",
            place(local, mapped),
            place(remote, mapped)
        )
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn i9_12_the_owner_of_a_connection_is_read_from_the_kernels_tables() {
        #[cfg(target_endian = "little")]
        assert_eq!(address("0100007F:1F90"), Some(at("127.0.0.1:8080")));
        #[cfg(target_endian = "little")]
        assert_eq!(address("0000000000000000FFFF00000100007F:0050"), Some(at("127.0.0.1:80")));
        for (server, client) in
            [("127.0.0.1:8080", "127.0.0.1:40000"), ("[::1]:8080", "[::1]:40000")]
        {
            let (server, client) = (at(server), at(client));
            let anywhere = SocketAddr::new(
                if server.is_ipv4() {
                    Ipv4Addr::UNSPECIFIED.into()
                } else {
                    Ipv6Addr::UNSPECIFIED.into()
                },
                0,
            );
            for mapped in [false, true] {
                let listening = line(server, anywhere, mapped, LISTEN, 1000, 5);
                let ours = line(server, client, mapped, ESTABLISHED, 1000, 6);
                let left = line(server, client, mapped, 8, 1000, 6);
                let theirs = |uid, inode| line(client, server, mapped, ESTABLISHED, uid, inode);
                let table = |lines: &[&str]| format!("{HEAD}{}{HEAD}", lines.concat());
                for (lines, owner) in [
                    (table(&[&listening, &ours, &theirs(1001, 7)]), Owner::User(1001)),
                    (table(&[&theirs(0, 7), &ours, &listening]), Owner::User(0)),
                    // Closed at once: the kernel shows root as the owner, and no file.
                    (table(&[&listening, &left, &theirs(0, 0)]), Owner::Gone),
                    (table(&[&listening, &left]), Owner::Gone),
                    (table(&[&listening]), Owner::Gone),
                    // The client's socket is in another namespace.
                    (table(&[&listening, &ours]), Owner::Unknown),
                    // These tables belong to another namespace, or are emulated.
                    (table(&[]), Owner::Unknown),
                    (String::new(), Owner::Unknown),
                    ("garbage\n1 2 3\n  :: 4\n".to_owned(), Owner::Unknown),
                ] {
                    assert_eq!(owner_of(&lines, server, client), owner, "{lines}");
                }
                // The same port at another address is a different socket.
                let other = line(at("127.0.0.2:40000"), server, false, ESTABLISHED, 1001, 7);
                assert_eq!(
                    owner_of(&table(&[&listening, &ours, &other]), server, client),
                    Owner::Unknown
                );
            }
        }
    }

    #[test]
    fn i9_12_own_connections_roots_and_unknown_ones_are_accepted() {
        let users = Users { accepted: vec![0, 1000], unmapped: None };
        assert_eq!(users.judge(Owner::User(1000)), Peer::Accepted);
        assert_eq!(users.judge(Owner::User(0)), Peer::Accepted);
        assert_eq!(users.judge(Owner::Unknown), Peer::Accepted);
        assert_eq!(users.judge(Owner::User(65534)), Peer::OtherUser(65534));
        assert_eq!(users.judge(Owner::Gone), Peer::Gone);
        let in_container = Users { accepted: vec![0], unmapped: Some(65534) };
        assert_eq!(in_container.judge(Owner::User(65534)), Peer::Accepted);
        assert_eq!(in_container.judge(Owner::User(1000)), Peer::OtherUser(1000));
    }
}
