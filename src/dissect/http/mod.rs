//! HTTP/1 (RFC 9112): requests and responses of one connection, bodies passed over by their lengths.
//!
//! Several exchanges are read, as far as the head of the flow reaches. What follows `101 Switching Protocols` or the answer
//! to CONNECT belongs to another protocol and is handed over.

mod body;
pub mod http2;
mod opaque;
mod own_address;
mod request;
mod response;
mod secret;

use self::body::Body;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::identity::ContentId;
use crate::model::segment::Layer;

/// Exchanges of one connection that are described.
const MOST_EXCHANGES: u8 = 32;

/// Fields of one head that are read; browsers send some thirty.
const MOST_HEADERS: usize = 100;

/// Method of a request.
pub const METHOD: Field = Field::of_flow("http.method");
/// Path and query of a request, its first 256 octets.
pub const PATH: Field = Field::of_flow("http.path");
/// Host that a request names, with its port if it says one.
pub const HOST: Field = Field::of_flow("http.host");
/// Program that sends the request.
pub const USER_AGENT: Field = Field::of_flow("http.user_agent");
/// For whom a proxy sends the request.
pub const X_FORWARDED_FOR: Field = Field::of_flow("http.x_forwarded_for");
/// Proxies that the message came through.
pub const VIA: Field = Field::of_flow("http.via");
/// Page that makes the request.
pub const ORIGIN: Field = Field::of_flow("http.origin");
/// Protocol that the client would like to change to.
pub const UPGRADE: Field = Field::of_flow("http.upgrade");
/// Scheme of the credentials in a request (`Basic`, `NTLM`), with a hash where they come again; never the credentials.
pub const AUTHORIZATION: Field = Field::of_flow("http.authorization");
/// Host and port that a proxy shall reach: the target of CONNECT, or the authority of a whole address.
pub const PROXY_TARGET: Field = Field::of_flow("http.proxy_target");
/// `absolute` where a request asks for a whole address, as only proxies are asked (RFC 9112, 3.2.2).
pub const TARGET_FORM: Field = Field::of_flow("http.target_form");
/// Scheme of the credentials for the proxy, likewise; never the credentials.
pub const PROXY_AUTHORIZATION: Field = Field::of_flow("http.proxy_authorization");
/// Protocols within a WebSocket that are offered or, by the server, chosen.
pub const SUBPROTOCOL: Field = Field::of_flow("websocket.subprotocol");
/// Status code of a response.
pub const STATUS: Field = Field::of_flow("http.status");
/// Program that answers.
pub const SERVER: Field = Field::of_flow("http.server");
/// Type of the content of a response.
pub const CONTENT_TYPE: Field = Field::of_flow("http.content_type");
/// Where a response sends the client.
pub const LOCATION: Field = Field::of_flow("http.location");
/// Challenge of a server, with its realm.
pub const AUTHENTICATE: Field = Field::of_flow("http.authenticate");
/// Title of an HTML page.
pub const TITLE: Field = Field::of_flow("http.title");
/// Public address that a UPnP gateway says it has.
pub const UPNP_EXTERNAL: Field = Field::of_event("upnp.external");

/// HTTP/1.
#[derive(Clone, Copy, Debug)]
pub struct Http;

impl Dissector for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[
            &METHOD,
            &PATH,
            &HOST,
            &USER_AGENT,
            &X_FORWARDED_FOR,
            &VIA,
            &ORIGIN,
            &UPGRADE,
            &AUTHORIZATION,
            &PROXY_TARGET,
            &TARGET_FORM,
            &PROXY_AUTHORIZATION,
            &SUBPROTOCOL,
            &STATUS,
            &SERVER,
            &CONTENT_TYPE,
            &LOCATION,
            &AUTHENTICATE,
            &TITLE,
            &UPNP_EXTERNAL,
            &own_address::OWN_ADDRESS,
            &opaque::EXCHANGE,
            &opaque::BOTH_WAYS,
        ]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let cut = usize::try_from(head.length_on_wire).is_ok_and(|length| length > head.newest().len());
        let stream = if head.to_server.is_empty() {
            head.to_client
        } else {
            head.to_server
        };
        // Who opened a flow can be guessed wrong where its start is missing: either side may turn out to be the server.
        match response::recognise(stream) {
            Probe::No => request::recognise(stream, cut),
            answer @ (Probe::Yes | Probe::Wait) => answer,
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::<Connection>::default()
    }
}

/// What reading a head came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading<T> {
    /// All of it, and so many octets.
    Whole(T, usize),
    /// Its end is not there yet.
    Partial,
    /// It is none.
    Broken,
}

/// The part of a request that its answer depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asked {
    #[default]
    Other,
    /// The answer has no body (RFC 9112, 6.3).
    Head,
    /// A success opens a tunnel (RFC 9110, 9.3.6).
    Connect,
    /// The body is the caller's address.
    OwnAddress,
    /// A body was sent that may be anything.
    Data,
}

/// What a response leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Led {
    /// The next exchange.
    On,
    /// The same request's final response.
    Interim,
    /// Another protocol; its registered name, or nothing where it must be recognised.
    To(&'static str),
}

/// Headers whose value is said once until it changes: hashes of what was said last.
#[derive(Debug, Default)]
struct LastSaid([u64; 16]);

impl LastSaid {
    /// Says a text unless it is what the same place said before.
    fn text(&mut self, place: usize, field: &Field, text: &[u8], facts: &mut Facts<'_>) {
        let hash = ContentId::of(&[text]).0;
        if let Some(last) = self.0.get_mut(place)
            && *last != hash
        {
            *last = hash;
            facts.text(field, text);
        }
    }
}

/// One direction: where it stands, and how much of an unfinished head was said already.
#[derive(Debug, Default)]
struct Direction {
    body: Body,
    /// Bytes are missing or are no HTTP: everything is passed over until a head begins.
    lost: bool,
    /// Headers of the current head that were said while its end was missing; `None` before its first line was.
    said: Option<usize>,
    /// Octets of an unfinished head that hold no end of it: not searched again with every segment.
    searched: usize,
    last: LastSaid,
}

/// State of one connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    directions: [Direction; 2],
    /// Requests without an answer, oldest first.
    asked: [Asked; 8],
    waiting: usize,
    exchanges: u8,
    /// Pieces of the current response's body that were searched for a title.
    bodies_searched: u8,
    /// What the current response answers.
    answered: Asked,
    /// Whether its bodies look like chance.
    exchange: opaque::Exchange,
    /// Whether who is called the client answers; known once a head was seen.
    swapped: Option<bool>,
}

impl Dissection for Connection {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let answers = response::recognise(input.bytes) == Probe::Yes;
        if self.swapped.is_none() && (answers || request::recognise(input.bytes, true) == Probe::Yes) {
            self.swapped = Some(answers == (input.side == Side::Client));
        }
        let side = if self.swapped == Some(true) {
            input.side.other()
        } else {
            input.side
        };
        let [client, server] = &mut self.directions;
        let direction = match side {
            Side::Client => client,
            Side::Server => server,
        };
        if input.after_gap {
            direction.body = Body::None;
            direction.lost = true;
            direction.said = None;
            direction.searched = 0;
        }
        let mut rest = input.bytes;
        while !rest.is_empty() {
            let before = rest.len();
            match self.advance(side, rest, facts) {
                Step::Consumed(count) => rest = rest.get(count..).unwrap_or_default(),
                Step::Wait => break,
                Step::HandOver(name, count) => {
                    let left = rest.len().saturating_sub(count);
                    return Next::Become(name, input.bytes.len().saturating_sub(left));
                }
            }
            if self.exchanges >= MOST_EXCHANGES {
                return Next::Done;
            }
            debug_assert!(rest.len() < before, "every step consumes or waits");
        }
        Next::More(input.bytes.len().saturating_sub(rest.len()))
    }
}

/// One step through a stream.
enum Step {
    Consumed(usize),
    Wait,
    HandOver(&'static str, usize),
}

impl Connection {
    fn advance(&mut self, side: Side, rest: &[u8], facts: &mut Facts<'_>) -> Step {
        let [client, server] = &mut self.directions;
        let is_open = client.body != Body::None;
        let direction = match side {
            Side::Client => client,
            Side::Server => server,
        };
        if direction.body != Body::None {
            let is_data = direction.body.is_data();
            if side == Side::Server && self.bodies_searched < 4 {
                self.bodies_searched = self.bodies_searched.saturating_add(1);
                if self.answered == Asked::OwnAddress {
                    own_address::say(rest, facts);
                } else {
                    body::say_title_or_address(rest, facts);
                }
            }
            return match direction.body.pass(rest) {
                Some(0) => Step::Wait,
                Some(count) => {
                    if is_data {
                        let piece = rest.get(..count).unwrap_or_default();
                        self.exchange.body(side, piece, is_open, facts);
                    }
                    Step::Consumed(count)
                }
                None => {
                    direction.lost = true;
                    Step::Consumed(rest.len())
                }
            };
        }
        let open_tunnel = self.waiting.checked_sub(1).and_then(|last| self.asked.get(last));
        if side == Side::Client && open_tunnel == Some(&Asked::Connect) {
            // What a hasty client sends belongs into the tunnel, if the answer opens it.
            return Step::Wait;
        }
        let recognised = match side {
            Side::Client => request::recognise(rest, true),
            Side::Server => response::recognise(rest),
        };
        // Stray line ends between messages are allowed (RFC 9112, 2.2).
        if recognised == Probe::No && rest.first().is_some_and(|octet| matches!(octet, b'\r' | b'\n')) {
            return Step::Consumed(1);
        }
        if recognised == Probe::No || (direction.lost && recognised == Probe::Wait) {
            direction.lost = true;
            return Step::Consumed(rest.len());
        }
        direction.lost = false;
        if direction.said.is_some() && !direction.has_end_of_head(rest) {
            return Step::Wait;
        }
        match side {
            Side::Client => self.take_request(rest, facts),
            Side::Server => self.take_response(rest, facts),
        }
    }

    fn take_request(&mut self, rest: &[u8], facts: &mut Facts<'_>) -> Step {
        let [direction, _] = &mut self.directions;
        let reading = request::read(rest, &mut direction.said, &mut direction.last, facts);
        let Reading::Whole((asked, body), count) = reading else {
            return direction.incomplete(&reading, rest);
        };
        direction.body = body;
        direction.said = None;
        direction.searched = 0;
        self.exchange.asked(asked == Asked::Data, facts.stamp.at);
        if let Some(place) = self.asked.get_mut(self.waiting) {
            *place = asked;
            self.waiting = self.waiting.saturating_add(1);
        }
        self.exchanges = self.exchanges.saturating_add(1);
        Step::Consumed(count)
    }

    fn take_response(&mut self, rest: &[u8], facts: &mut Facts<'_>) -> Step {
        let [_, direction] = &mut self.directions;
        let [asked, ..] = self.asked;
        let reading = response::read(rest, asked, &mut direction.said, &mut direction.last, facts);
        let Reading::Whole((led, body, is_explained), count) = reading else {
            return direction.incomplete(&reading, rest);
        };
        direction.body = body;
        direction.said = None;
        direction.searched = 0;
        self.bodies_searched = 0;
        self.answered = asked;
        let may_be = asked == Asked::Data && led == Led::On && !is_explained;
        self.exchange.answered(may_be, facts.stamp.at);
        match led {
            Led::To(name) => return Step::HandOver(name, count),
            Led::Interim => {}
            Led::On => {
                self.asked.rotate_left(1);
                if let Some(last) = self.asked.last_mut() {
                    *last = Asked::Other;
                }
                self.waiting = self.waiting.saturating_sub(1);
            }
        }
        Step::Consumed(count)
    }
}

impl Direction {
    fn incomplete<T>(&mut self, reading: &Reading<T>, rest: &[u8]) -> Step {
        if matches!(reading, Reading::Partial) {
            return Step::Wait;
        }
        self.lost = true;
        self.said = None;
        self.searched = 0;
        Step::Consumed(rest.len())
    }

    /// Whether what came since the last search holds the empty line that ends a head.
    fn has_end_of_head(&mut self, rest: &[u8]) -> bool {
        let fresh = rest.get(self.searched.saturating_sub(3)..).unwrap_or(rest);
        let ends =
            fresh.windows(2).any(|two| two == b"\n\n") || fresh.windows(3).any(|three| three == b"\n\r\n");
        self.searched = rest.len();
        ends
    }
}

/// The lines of an unfinished head that are there, with the empty line that ends a head; `None` before the first line ends.
///
/// Copied, since it is made at most once for a head: where the capture cut packets, it is all that there will be.
fn finished(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.iter().rposition(|&octet| octet == b'\n')?;
    let mut head = bytes.get(..=end)?.to_vec();
    head.extend_from_slice(b"\r\n");
    Some(head)
}

#[cfg(test)]
mod tests;
