//! Where a request comes from, also behind proxies.
//!
//! Lock-out, rate limits, the networks of a key, the list of who may ask at all and the trail itself go by the
//! address of the client, so one place decides which that is: [`client`].
//!
//! Behind a proxy every connection is the proxy's, and what it says of its clients stands in a header that
//! anybody can send. Each proxy adds on the right what it saw, so the lists are read from the right: past the
//! addresses of proxies that the operator trusts, up to the first that is none of these. What stands further to the left is
//! what the client says of itself, and is not read. Where a trusted proxy says nothing that can be read, the request counts as that
//! proxy's own.
//!
//! # Two headers
//! A proxy writes one of `X-Forwarded-For` and `Forwarded` (RFC 7239), and lets the other through as the
//! client sent it. Rejected: to prefer one of the two, for whichever it is, a client behind a proxy that writes the
//! other would choose its address. Rejected as well: to fall back to the address of the proxy, which is
//! often one that may do more. A header whose last entry tells no address counts as absent; when both tell one and
//! these differ, the request is refused, as one with two keys is.
//!
//! # Quotes
//! A list is cut at every comma, also within quotation marks: no address has one, and a quotation mark that
//! the client opens must not swallow what the proxy adds.

use std::net::{IpAddr, SocketAddr};

use poem::http::{HeaderMap, HeaderName, header::FORWARDED};

use crate::Networks;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const BLANK: [char; 2] = [' ', '\t'];

/// The two headers name two clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contradictory;

/// The address of the client whose request came over a connection from `peer`.
///
/// # Errors
/// [`Contradictory`] when a trusted proxy says two things.
pub(super) fn client(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &Networks,
) -> Result<IpAddr, Contradictory> {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return Ok(peer);
    }
    let told = |name: &HeaderName, read: fn(&str) -> Option<IpAddr>| {
        // A line that is no text tells nothing.
        let lines = headers.get_all(name).iter().rev().map(|line| line.to_str().unwrap_or(""));
        nearest(lines.flat_map(|line| line.rsplit(',')).map(read), trusted)
    };
    match (told(&X_FORWARDED_FOR, address_and_port), told(&FORWARDED, forwarded_for)) {
        (Some(one), Some(other)) if one != other => Err(Contradictory),
        (Some(told), _) | (None, Some(told)) => Ok(told),
        (None, None) => Ok(peer),
    }
}

/// Whether it is one of the proxies; [`Networks::contain`] has all addresses where there is no network.
pub(super) fn is_trusted(address: IpAddr, trusted: &Networks) -> bool {
    !trusted.is_empty() && trusted.contain(address)
}

/// The first, from the right, that is no trusted proxy; the last that can be read when there is none.
fn nearest(hops: impl Iterator<Item = Option<IpAddr>>, trusted: &Networks) -> Option<IpAddr> {
    let mut nearest = None;
    for hop in hops {
        let Some(address) = hop else { break };
        nearest = Some(address);
        if !is_trusted(address, trusted) {
            break;
        }
    }
    nearest
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn address_and_port(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches(BLANK);
    let alone = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = alone.parse().or_else(|_| text.parse().map(|it: SocketAddr| it.ip()));
    address.ok().map(|it| it.to_canonical())
}

/// The address in an element of `Forwarded`, such as `for="[2001:db8::1]:4711";proto=https`. None of
/// `unknown`, of a made-up name such as `_hidden`, and of an element that names two.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in element.split(';').map(|pair| pair.trim_matches(BLANK)) {
        if pair.is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=')?;
        if !name.trim_matches(BLANK).eq_ignore_ascii_case("for") {
            continue;
        }
        if found.is_some() {
            return None;
        }
        let value = value.trim_matches(BLANK);
        let value = match value.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"')?,
            None => value,
        };
        found = Some(node(value)?);
    }
    found
}

/// The address of a node, whose port may be a made-up name, too.
fn node(text: &str) -> Option<IpAddr> {
    let made_up = text.rsplit_once(':').filter(|(_, port)| port.starts_with('_'));
    address_and_port(made_up.map_or(text, |(address, _)| address))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    /// Who it is that asks by way of 10.0.0.1, where 10.0.0.0/24 and 2001:db8:1::/48 are proxies.
    fn asks(headers: &[(&'static str, &str)]) -> Result<IpAddr, Contradictory> {
        asks_by("10.0.0.1", headers)
    }

    fn asks_by(peer: &str, headers: &[(&'static str, &str)]) -> Result<IpAddr, Contradictory> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let trusted = "10.0.0.0/24,2001:db8:1::/48".parse().unwrap();
        client(peer.parse().unwrap(), &map, &trusted)
    }

    fn ip(text: &str) -> Result<IpAddr, Contradictory> {
        Ok(text.parse().unwrap())
    }

    const XFF: &str = "x-forwarded-for";
    const FWD: &str = "forwarded";

    #[test]
    fn what_somebody_says_who_is_no_proxy_is_not_read() {
        assert_eq!(asks_by("192.0.2.1", &[(XFF, "10.0.0.9")]), ip("192.0.2.1"));
        assert_eq!(asks_by("192.0.2.1", &[(FWD, "for=10.0.0.9")]), ip("192.0.2.1"));
        let none = Networks::default();
        let headers = [(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.9"))];
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(client(peer, &headers.into_iter().collect(), &none), Ok(peer));
    }

    #[test]
    fn the_client_is_the_first_from_the_right_that_is_no_proxy() {
        assert_eq!(asks(&[]), ip("10.0.0.1"));
        assert_eq!(asks(&[(XFF, "203.0.113.9")]), ip("203.0.113.9"));
        assert_eq!(asks(&[(XFF, "1.1.1.1, 203.0.113.9")]), ip("203.0.113.9"));
        assert_eq!(asks(&[(XFF, "1.1.1.1, 203.0.113.9,10.0.0.7")]), ip("203.0.113.9"));
        // Of several lines the last is on the right.
        assert_eq!(asks(&[(XFF, "1.1.1.1"), (XFF, "203.0.113.9")]), ip("203.0.113.9"));
        // Proxies alone: the farthest.
        assert_eq!(asks(&[(XFF, "10.0.0.8, 10.0.0.7")]), ip("10.0.0.8"));
        assert_eq!(asks_by("::ffff:10.0.0.1", &[(XFF, "203.0.113.9")]), ip("203.0.113.9"));
        assert_eq!(asks_by("2001:db8:1::1", &[(XFF, "::ffff:10.0.0.7")]), ip("10.0.0.7"));
    }

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        for (text, address) in [
            ("203.0.113.9:4711", "203.0.113.9"),
            ("2001:db8::9", "2001:db8::9"),
            ("[2001:db8::9]", "2001:db8::9"),
            ("[2001:db8::9]:4711", "2001:db8::9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
        ] {
            assert_eq!(asks(&[(XFF, text)]), ip(address), "{text}");
        }
        for (text, address) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("For=\"203.0.113.9:4711\"; proto=https", "203.0.113.9"),
            ("proto=https;for=203.0.113.9;by=10.0.0.1", "203.0.113.9"),
            ("for=\"[2001:db8::9]:4711\";", "2001:db8::9"),
            ("for=\"[2001:db8::9]:_port\"", "2001:db8::9"),
            ("for=1.1.1.1, for=203.0.113.9, for=10.0.0.7", "203.0.113.9"),
        ] {
            assert_eq!(asks(&[(FWD, text)]), ip(address), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_ends_the_walk_and_is_nobodys_choice() {
        // What the nearest proxy says cannot be read: it is the proxy's own request.
        for text in ["", "unknown", "203.0.113.9,", "203.0.113.9, 1.2.3", "203.0.113.9 10.0.0.7"] {
            assert_eq!(asks(&[(XFF, text)]), ip("10.0.0.1"), "{text}");
        }
        for text in [
            "for=unknown",
            "for=_hidden",
            "203.0.113.9",
            "for=\"203.0.113.9",
            "proto=https",
            "for=203.0.113.9;for=203.0.113.8",
            "for=203.0.113.9;x",
        ] {
            assert_eq!(asks(&[(FWD, text)]), ip("10.0.0.1"), "{text}");
        }
        // Further out, it is the proxy's that reported it.
        assert_eq!(asks(&[(XFF, "1.1.1.1, x, 10.0.0.7")]), ip("10.0.0.7"));
        assert_eq!(asks(&[(XFF, "1.1.1.1"), (XFF, "\u{fc}"), (XFF, "10.0.0.7")]), ip("10.0.0.7"));
        // A quotation mark that the client opens swallows nothing.
        assert_eq!(asks(&[(FWD, "for=\"1.1.1.1, for=203.0.113.9")]), ip("203.0.113.9"));
        assert_eq!(asks(&[(FWD, "for=\"1.1.1.1"), (FWD, "for=203.0.113.9")]), ip("203.0.113.9"));
        assert_eq!(asks(&[(XFF, "1.1.1.1\", 203.0.113.9")]), ip("203.0.113.9"));
    }

    #[test]
    fn two_headers_must_agree_unless_one_tells_nothing() {
        let both = |xff, fwd| asks(&[(XFF, xff), (FWD, fwd)]);
        assert_eq!(both("203.0.113.9", "for=203.0.113.9"), ip("203.0.113.9"));
        assert_eq!(both("203.0.113.9, 10.0.0.7", "for=203.0.113.9"), ip("203.0.113.9"));
        assert_eq!(both("203.0.113.9", "for=10.0.0.9"), Err(Contradictory));
        assert_eq!(both("10.0.0.9", "for=203.0.113.9"), Err(Contradictory));
        assert_eq!(both("203.0.113.9", "proto=https"), ip("203.0.113.9"));
        assert_eq!(both("unknown", "for=203.0.113.9"), ip("203.0.113.9"));
    }
}
