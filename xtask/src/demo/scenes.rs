//! What happens in the demo.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use etherparse::{Icmpv4Type, icmpv4::TimeExceededCode};

use super::{
    packets::{self, packet},
    stage::{BROADCAST, FTP_SERVER, GATEWAY, NAME_SERVER, Stage, WE},
};

/// Some of what can be seen on a network.
pub struct Scene {
    /// What it is about.
    pub title: &'static str,
    /// What happens in it.
    pub acts: &'static [Act],
}

/// One thing that happens.
pub struct Act {
    /// What it is.
    pub line: &'static str,
    /// Lets it happen.
    pub play: fn(&Stage) -> Result<()>,
}

/// From calm to grave.
pub const SCENES: &[Scene] = &[
    Scene {
        title: "what every network sees",
        acts: &[
            Act { line: "we fetch a page, somebody fetches one from us (TCP)", play: browse },
            Act { line: "we look a name up (DNS)", play: look_up },
            Act { line: "the gateway pings us", play: ping },
            Act { line: "a new machine asks everybody for an address (DHCP)", play: ask_for_address },
            Act { line: "a neighbour asks everybody for a name (NetBIOS)", play: ask_neighbours },
        ],
    },
    Scene {
        title: "what looks like an attack, and is not",
        acts: &[
            Act { line: "somebody traces the way to us: UDP to rising ports, TTL 1 and up", play: traceroute },
            Act { line: "we use FTP, and the server asks who we are (ident)", play: ftp_and_ident },
            Act { line: "a Windows server looks our name up: NetBIOS, port 137", play: node_status },
            Act { line: "a router answers from a private address: time exceeded", play: private_router },
        ],
    },
    Scene {
        title: "what is hostile",
        acts: &[
            Act { line: "somebody sends a SYN to each of 40 ports", play: syn_scan },
            Act { line: "source-routed packets try to come by way of another host", play: source_routed },
            Act { line: "cameras look for cameras: telnet, sequence number = our address", play: mirai },
            Act { line: "a connection from 192.168.66.6, which cannot be", play: private_source },
        ],
    },
];

const SCANNER: Ipv4Addr = Ipv4Addr::new(198, 19, 66, 6);
const TRACER: Ipv4Addr = Ipv4Addr::new(198, 19, 44, 7);
const WINDOWS: Ipv4Addr = Ipv4Addr::new(198, 19, 80, 80);
const SNEAK: Ipv4Addr = Ipv4Addr::new(198, 19, 31, 13);
const PRIVATE_ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 100, 1);
const PRIVATE_CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 66, 6);
const CAMERAS: [Ipv4Addr; 4] = [
    Ipv4Addr::new(198, 19, 101, 9),
    Ipv4Addr::new(198, 19, 118, 201),
    Ipv4Addr::new(198, 19, 7, 77),
    Ipv4Addr::new(198, 19, 220, 3),
];
/// Ports that scanners ask for first.
const WANTED: [u16; 40] = [
    80, 23, 443, 21, 22, 25, 3389, 110, 445, 139, 143, 53, 135, 3306, 8080, 1723, 111, 995, 993, 5900, 1025, 587, 8888,
    199, 1720, 465, 548, 113, 81, 6001, 10_000, 514, 5060, 179, 1026, 2000, 8443, 8000, 32_768, 554,
];

fn browse(stage: &Stage) -> Result<()> {
    let client = || TcpStream::connect((GATEWAY, 80)).context("cannot connect to the web server");
    converse(stage.world.enter(|| listen(GATEWAY, 80))?, || stage.ours.enter(client))?;
    let client = || TcpStream::connect((WE, 80)).context("cannot connect to our web server");
    converse(stage.ours.enter(|| listen(WE, 80))?, || stage.world.enter(client))
}

fn listen(address: Ipv4Addr, port: u16) -> Result<TcpListener> {
    TcpListener::bind((address, port)).with_context(|| format!("cannot listen on {address}:{port}"))
}

/// A request and its answer.
fn converse(listener: TcpListener, connect: impl FnOnce() -> Result<TcpStream>) -> Result<()> {
    const WAIT: Option<Duration> = Some(Duration::from_secs(2));
    thread::scope(|scope| {
        let mut client = connect()?;
        client.set_read_timeout(WAIT)?;
        let server = scope.spawn(move || -> Result<()> {
            let (mut socket, _) = listener.accept()?;
            socket.set_read_timeout(WAIT)?;
            let mut line = String::new();
            BufReader::new(&socket).read_line(&mut line)?;
            socket.write_all(b"HTTP/1.0 200 OK\r\n\r\nHello.\r\n")?;
            Ok(socket.shutdown(Shutdown::Both)?)
        });
        client.write_all(b"GET / HTTP/1.0\r\n")?;
        let mut line = String::new();
        BufReader::new(&client).read_line(&mut line)?;
        server.join().ok().context("the server panicked")?
    })
}

fn look_up(stage: &Stage) -> Result<()> {
    let server = stage.world.enter(|| UdpSocket::bind((NAME_SERVER, 53)))?;
    let client = stage.ours.enter(|| UdpSocket::bind((WE, 0)))?;
    for socket in [&server, &client] {
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    }
    let mut query = [0; 512];
    for _ in 0..3 {
        client.send_to(&packets::dns_query(), SocketAddr::from((NAME_SERVER, 53)))?;
        let (length, asker) = server.recv_from(&mut query).context("no question arrived")?;
        server.send_to(&packets::dns_answer(&query[..length]), asker)?;
    }
    Ok(())
}

fn ping(stage: &Stage) -> Result<()> {
    (1..=4).try_for_each(|number| stage.send(&packet(GATEWAY, WE).ttl(64).echo_request(number)?))
}

fn ask_for_address(stage: &Stage) -> Result<()> {
    let frame = packet(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST).ttl(64).udp(68, 67, &packets::dhcp_discover())?;
    (0..3).try_for_each(|_| stage.send(&frame))
}

fn ask_neighbours(stage: &Stage) -> Result<()> {
    let neighbour = Ipv4Addr::new(198, 18, 0, 77);
    let frame = packet(neighbour, BROADCAST).ttl(128).udp(137, 137, &packets::netbios("WORKGROUP", true))?;
    (0..3).try_for_each(|_| stage.send(&frame))
}

fn traceroute(stage: &Stage) -> Result<()> {
    // We are twelve hops away; what was sent with less never gets here.
    for number in 0..16 {
        let ttl = 1 + number as u8 / 3;
        stage.send(&packet(TRACER, WE).ttl(ttl).udp(48_000 + number, 33_434 + 33 + number, &[0x40; 32])?)?;
    }
    Ok(())
}

fn ftp_and_ident(stage: &Stage) -> Result<()> {
    let server = stage.world.enter(|| listen(FTP_SERVER, 21))?;
    let client =
        stage.ours.enter(|| TcpStream::connect((FTP_SERVER, 21))).context("cannot connect to the FTP server")?;
    client.set_read_timeout(Some(Duration::from_secs(2)))?;
    let (mut session, _) = server.accept()?;
    thread::sleep(Duration::from_millis(100));
    for again in 0..2 {
        stage.send(&packet(FTP_SERVER, WE).ttl(64).syn(41_113, 113, 0x1d_0000)?)?;
        thread::sleep(Duration::from_millis(100 * again));
    }
    session.write_all(b"220 Ready.\r\n")?;
    let mut line = String::new();
    BufReader::new(&client).read_line(&mut line)?;
    Ok(())
}

fn node_status(stage: &Stage) -> Result<()> {
    let frame = packet(WINDOWS, WE).ttl(114).udp(137, 137, &packets::netbios("*", false))?;
    (0..3).try_for_each(|_| stage.send(&frame))
}

fn private_router(stage: &Stage) -> Result<()> {
    let ours = packet(WE, Ipv4Addr::new(198, 19, 99, 99)).ttl(1).udp(50_000, 33_450, b"probe")?;
    let kind = Icmpv4Type::TimeExceeded(TimeExceededCode::TtlExceededInTransit);
    let frame = packet(PRIVATE_ROUTER, WE).ttl(253).icmp_error(kind, &ours)?;
    (0..2).try_for_each(|_| stage.send(&frame))
}

fn syn_scan(stage: &Stage) -> Result<()> {
    WANTED.into_iter().try_for_each(|port| {
        stage.send(&packet(SCANNER, WE).ttl(47).bare_syn(54_321, port, 0x5eed, 1024, Some(1460))?)
    })
}

fn source_routed(stage: &Stage) -> Result<()> {
    // Loose source route with two addresses, the second still to come.
    let route = [131, 11, 8, 198, 19, 31, 1, 198, 18, 0, 10, 0];
    (0..3).try_for_each(|number| stage.send(&packet(SNEAK, WE).options(&route).syn(1040 + number, 513, 0xbad)?))
}

fn mirai(stage: &Stage) -> Result<()> {
    for (index, camera) in CAMERAS.into_iter().enumerate() {
        for port in [23, 23, 2323] {
            let from = 20_000 + 1_111 * index as u16 + port;
            stage.send(&packet(camera, WE).ttl(45).bare_syn(from, port, WE.into(), 5_840 + from, None)?)?;
        }
    }
    Ok(())
}

fn private_source(stage: &Stage) -> Result<()> {
    (0..3).try_for_each(|number| stage.send(&packet(PRIVATE_CLIENT, WE).syn(51_000 + number, 8080, 77)?))
}
