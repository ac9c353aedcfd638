//! TLS as it looks to who has no key: hellos (RFC 8446, RFC 5246) with the extension lists of the programs that send them,
//! certificates up to version 1.2, then records of chance.

use super::connection::{Connection, Side};
use super::network::{MS, Micros};
use super::random::Random;

const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const CHANGE_CIPHER_SPEC: [u8; 6] = [20, 3, 3, 0, 1, 1];

/// Longest record's content that is written at once.
const LONGEST: usize = 16_384;

/// Whose hello it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// A browser built on Chromium: TLS 1.3, reserved values (RFC 8701) in front and behind.
    Browser,
    /// Services of Windows: Schannel's TLS 1.2 list.
    Windows,
    /// Appliances and apps with OpenSSL 1.1.
    OpenSsl,
    /// AnyDesk's fixed list of 64 cipher suites with static OpenSSL, as public captures show it (nfstream `anydesk.pcap`).
    AnyDesk,
}

/// Which version the server takes, and the certificate that it shows where the version shows one.
pub(super) enum Answer {
    /// TLS 1.3: the certificate is hidden.
    Modern,
    /// TLS 1.2 with this certificate, in DER.
    Readable(Vec<u8>),
}

/// A conversation that is to be set up.
pub(super) struct Session<'a> {
    /// Who calls.
    pub(super) program: Program,
    /// Server name indication.
    pub(super) name: Option<&'a str>,
    /// Protocols that the client offers.
    pub(super) protocols: &'a [&'a str],
    /// What the server does.
    pub(super) answer: Answer,
}

impl Session<'_> {
    /// Sets it up on a connection from `at` on; gives the moment at which the client may speak.
    pub(super) fn begin(&self, connection: &mut Connection, at: Micros, random: &mut Random) -> Micros {
        let at = at.max(connection.ready());
        let id = random.octets(32);
        let hello = client_hello(self, &id, random);
        connection.say(at, Side::Client, hello);
        let answered = at + connection.round_trip(Side::Server) + 2 * MS + random.within(0..=3 * MS);
        let finished = answered + connection.round_trip(Side::Client) + 3 * MS;
        match &self.answer {
            Answer::Modern => {
                let mut flight = server_hello(random, Some(&id));
                flight.extend(CHANGE_CIPHER_SPEC);
                connection.say(answered, Side::Server, flight);
                // A capture of days keeps a resumed conversation's flight, without the certificate (RFC 8446, 2.2).
                let lengths: &[usize] = if connection.is_sparse {
                    &[40, 74]
                } else {
                    &[40, 2_900, 286, 74]
                };
                for length in lengths {
                    connection.say_cut(answered, Side::Server, encrypted(random, *length));
                }
                let mut end = CHANGE_CIPHER_SPEC.to_vec();
                end.extend(encrypted(random, 74));
                connection.say(finished, Side::Client, end);
                finished + MS
            }
            Answer::Readable(certificate) => {
                let mut flight = server_hello(random, None);
                flight.extend(record(HANDSHAKE, 3, &certificate_message(certificate)));
                flight.extend(record(HANDSHAKE, 3, &server_key_exchange(random)));
                flight.extend(record(HANDSHAKE, 3, &message(14, &[])));
                connection.say(answered, Side::Server, flight);
                let mut point = vec![65, 4];
                point.extend(random.octets(64));
                let mut end = record(HANDSHAKE, 3, &message(16, &point));
                end.extend(CHANGE_CIPHER_SPEC);
                end.extend(record(HANDSHAKE, 3, &random.octets(40)));
                connection.say(finished, Side::Client, end);
                let agreed = finished + connection.round_trip(Side::Server) + MS;
                let mut end = CHANGE_CIPHER_SPEC.to_vec();
                end.extend(record(HANDSHAKE, 3, &random.octets(40)));
                connection.say(agreed, Side::Server, end);
                agreed + connection.round_trip(Side::Client) + MS
            }
        }
    }
}

/// Records of application data that carry so many octets altogether, ciphertext included.
pub(super) fn encrypted(random: &mut Random, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 5);
    let mut left = length;
    while left > 0 {
        let taken = left.min(LONGEST);
        bytes.extend(record(APPLICATION_DATA, 3, &random.octets(taken)));
        left -= taken;
    }
    bytes
}

fn record(kind: u8, minor: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 3, minor];
    bytes.extend(two(content.len()));
    bytes.extend(content);
    bytes
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(three(body.len()));
    bytes.extend(body);
    bytes
}

fn two(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

fn three(length: usize) -> [u8; 3] {
    let [_, high, middle, low] = u32::try_from(length).unwrap_or(0).to_be_bytes();
    [high, middle, low]
}

/// Sixteen-bit values behind their length.
fn list(values: &[u16]) -> Vec<u8> {
    let mut bytes = two(values.len() * 2).to_vec();
    bytes.extend(values.iter().flat_map(|value| value.to_be_bytes()));
    bytes
}

const BROWSER_SUITES: &[u16] = &[
    0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d,
    0x002f, 0x0035,
];
const WINDOWS_SUITES: &[u16] = &[
    0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009f, 0x009e, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014,
    0xc013, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f,
];
const OPENSSL_SUITES: &[u16] = &[
    0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0x009f, 0xcca9, 0xcca8, 0xccaa, 0xc02b, 0xc02f, 0x009e, 0xc024,
    0xc028, 0x006b, 0xc023, 0xc027, 0x0067, 0xc00a, 0xc014, 0x0039, 0xc009, 0xc013, 0x0033, 0x009d, 0x009c,
    0x003d, 0x003c, 0x0035, 0x002f, 0x00ff,
];
const ANYDESK_SUITES: &[u16] = &[
    0xc030, 0xc02c, 0xc028, 0xc024, 0xc014, 0xc00a, 0x00a5, 0x00a3, 0x00a1, 0x009f, 0x006b, 0x006a, 0x0069,
    0x0068, 0x0039, 0x0038, 0x0037, 0x0036, 0xc032, 0xc02e, 0xc02a, 0xc026, 0xc00f, 0xc005, 0x009d, 0x003d,
    0x0035, 0xc02f, 0xc02b, 0xc027, 0xc023, 0xc013, 0xc009, 0x00a4, 0x00a2, 0x00a0, 0x009e, 0x0067, 0x0040,
    0x003f, 0x003e, 0x0033, 0x0032, 0x0031, 0x0030, 0xc031, 0xc02d, 0xc029, 0xc025, 0xc00e, 0xc004, 0x009c,
    0x003c, 0x002f, 0xc012, 0xc008, 0x0016, 0x0013, 0x0010, 0x000d, 0xc00d, 0xc003, 0x000a, 0x00ff,
];
const ANYDESK_GROUPS: &[u16] = &[
    0x0017, 0x0019, 0x001c, 0x001b, 0x0018, 0x001a, 0x0016, 0x000e, 0x000d, 0x000b, 0x000c, 0x0009, 0x000a,
];
const ANYDESK_SIGNATURES: &[u16] = &[
    0x0601, 0x0602, 0x0603, 0x0501, 0x0502, 0x0503, 0x0401, 0x0402, 0x0403, 0x0301, 0x0302, 0x0303, 0x0201,
    0x0202, 0x0203,
];
const COMMON_SIGNATURES: &[u16] = &[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
/// Reserved values that browsers scatter (RFC 8701).
const RESERVED: [u16; 4] = [0x0a0a, 0x3a3a, 0x7a7a, 0xdada];

fn client_hello(session: &Session<'_>, id: &[u8], random: &mut Random) -> Vec<u8> {
    let program = session.program;
    let offers_modern = matches!(program, Program::Browser | Program::OpenSsl);
    let mut body = vec![3, 3];
    body.extend(random.octets(32));
    if offers_modern {
        body.push(32);
        body.extend(id);
    } else {
        body.push(0);
    }
    let [reserved, ..] = RESERVED;
    let suites = match program {
        Program::Browser => [&[reserved], BROWSER_SUITES].concat(),
        Program::Windows => WINDOWS_SUITES.to_vec(),
        Program::OpenSsl => OPENSSL_SUITES.to_vec(),
        Program::AnyDesk => ANYDESK_SUITES.to_vec(),
    };
    body.extend(list(&suites));
    body.extend([1, 0]);
    body.extend(extension_block(&extensions(session, random)));
    record(HANDSHAKE, 1, &message(1, &body))
}

/// An extension's number and content.
type Extension = (u16, Vec<u8>);

fn extensions(session: &Session<'_>, random: &mut Random) -> Vec<Extension> {
    let protocols = (!session.protocols.is_empty()).then(|| (16, protocols(session.protocols)));
    let name = session.name.map(|name| (0, server_name(name)));
    match session.program {
        Program::Browser => browser(name, protocols, random),
        Program::Windows => windows(name, protocols),
        Program::OpenSsl => openssl(name, protocols, random),
        Program::AnyDesk => anydesk(name, protocols),
    }
}

/// A key share on X25519, behind a reserved one where there is one.
fn key_share(reserved: Option<u16>, random: &mut Random) -> Vec<u8> {
    let mut entries = Vec::new();
    if let Some(group) = reserved {
        entries.extend(group.to_be_bytes());
        entries.extend([0, 1, 0]);
    }
    entries.extend([0, 0x1d, 0, 32]);
    entries.extend(random.octets(32));
    [two(entries.len()).to_vec(), entries].concat()
}

fn browser(name: Option<Extension>, alpn: Option<Extension>, random: &mut Random) -> Vec<Extension> {
    let [version, group, first, last] = RESERVED;
    [(first, Vec::new())]
        .into_iter()
        .chain(name)
        .chain([
            (23, Vec::new()),
            (65_281, vec![0]),
            (10, list(&[group, 0x001d, 0x0017, 0x0018])),
            (11, vec![1, 0]),
            (35, Vec::new()),
        ])
        .chain(alpn)
        .chain([
            (5, vec![1, 0, 0, 0, 0]),
            (13, list(COMMON_SIGNATURES)),
            (18, Vec::new()),
            (51, key_share(Some(group), random)),
            (45, vec![1, 1]),
            (43, [&[6][..], &version.to_be_bytes(), &[3, 4, 3, 3]].concat()),
            (27, vec![2, 0, 2]),
            (last, vec![0]),
        ])
        .collect()
}

fn windows(name: Option<Extension>, alpn: Option<Extension>) -> Vec<Extension> {
    name.into_iter()
        .chain([
            (5, vec![1, 0, 0, 0, 0]),
            (10, list(&[0x001d, 0x0017, 0x0018])),
            (11, vec![1, 0]),
            (
                13,
                list(&[
                    0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0201, 0x0403, 0x0503, 0x0203, 0x0202, 0x0601,
                    0x0603,
                ]),
            ),
            (35, Vec::new()),
        ])
        .chain(alpn)
        .chain([(23, Vec::new()), (65_281, vec![0])])
        .collect()
}

fn openssl(name: Option<Extension>, alpn: Option<Extension>, random: &mut Random) -> Vec<Extension> {
    name.into_iter()
        .chain([
            (11, vec![3, 0, 1, 2]),
            (10, list(&[0x001d, 0x0017, 0x001e, 0x0019, 0x0018])),
            (35, Vec::new()),
        ])
        .chain(alpn)
        .chain([
            (22, Vec::new()),
            (23, Vec::new()),
            (13, list(COMMON_SIGNATURES)),
            (43, vec![4, 3, 4, 3, 3]),
            (45, vec![1, 1]),
            (51, key_share(None, random)),
        ])
        .collect()
}

fn anydesk(name: Option<Extension>, alpn: Option<Extension>) -> Vec<Extension> {
    name.into_iter()
        .chain([
            (11, vec![3, 0, 1, 2]),
            (10, list(ANYDESK_GROUPS)),
            (35, Vec::new()),
            (13, list(ANYDESK_SIGNATURES)),
            (15, vec![1]),
        ])
        .chain(alpn)
        .collect()
}

/// Version 1.3 gives the client its session identifier back (RFC 8446, 4.1.3).
fn server_hello(random: &mut Random, echoed: Option<&[u8]>) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend(random.octets(32));
    body.push(32);
    let extensions = if let Some(id) = echoed {
        body.extend(id);
        body.extend([0x13, 0x01, 0]);
        let mut share = vec![0, 0x1d, 0, 32];
        share.extend(random.octets(32));
        vec![(51, share), (43, vec![3, 4])]
    } else {
        body.extend(random.octets(32));
        body.extend([0xc0, 0x30, 0]);
        vec![(11, vec![3, 0, 1, 2]), (65_281, vec![0])]
    };
    body.extend(extension_block(&extensions));
    record(HANDSHAKE, 3, &message(2, &body))
}

fn extension_block(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, content) in extensions {
        bytes.extend(kind.to_be_bytes());
        bytes.extend(two(content.len()));
        bytes.extend(content);
    }
    [two(bytes.len()).to_vec(), bytes].concat()
}

fn server_name(name: &str) -> Vec<u8> {
    let mut bytes = two(name.len() + 3).to_vec();
    bytes.push(0);
    bytes.extend(two(name.len()));
    bytes.extend(name.as_bytes());
    bytes
}

fn protocols(names: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for name in names {
        bytes.push(u8::try_from(name.len()).unwrap_or(0));
        bytes.extend(name.as_bytes());
    }
    [two(bytes.len()).to_vec(), bytes].concat()
}

fn certificate_message(certificate: &[u8]) -> Vec<u8> {
    let mut entry = three(certificate.len()).to_vec();
    entry.extend(certificate);
    message(11, &[three(entry.len()).to_vec(), entry].concat())
}

/// A point on P-256 and a signature, both of chance (RFC 8422, 5.4).
fn server_key_exchange(random: &mut Random) -> Vec<u8> {
    let mut body = vec![3, 0, 0x17, 65, 4];
    body.extend(random.octets(64));
    body.extend([0x04, 0x01]);
    body.extend(two(256));
    body.extend(random.octets(256));
    message(12, &body)
}
