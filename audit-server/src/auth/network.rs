//! From where a credential may be used.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// The longest list of them, in bytes, as it is given and as it is written.
pub(crate) const MAX_NETWORKS_BYTES: usize = 1_024;

/// Networks in CIDR notation (RFC 4632), such as `10.0.0.0/8` or `2001:db8::/32`; a single address is one of
/// its own. An IPv4 address that comes as IPv6 (`::ffff:10.0.0.1`) counts as what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Each of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = IpNet> {
        self.0.iter().copied()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the address is in one of them; when there is none, each is.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.is_empty() || self.0.iter().any(|network| network.contains(&address))
    }
}

/// As [`FromStr`] reads it.
impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, network) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{network}")?;
        }
        Ok(())
    }
}

impl FromStr for Networks {
    type Err = NetworkInvalid;

    /// Reads them, separated by commas; an empty text has none.
    fn from_str(text: &str) -> Result<Self, NetworkInvalid> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text.len() > MAX_NETWORKS_BYTES {
            return Err(NetworkInvalid);
        }
        let read = |text: &str| {
            let text = text.trim();
            let address = |text: &str| text.parse::<IpAddr>().map(|it| it.to_canonical().into());
            text.parse().or_else(|_| address(text)).map_err(|_| NetworkInvalid)
        };
        let networks = text.split(',').map(read).collect::<Result<Vec<IpNet>, _>>()?;
        let networks = Self(networks);
        // What is written is to be read again.
        if networks.to_string().len() > MAX_NETWORKS_BYTES {
            Err(NetworkInvalid)
        } else {
            Ok(networks)
        }
    }
}

/// What should be a list of networks is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "networks are written like 10.0.0.0/8 or 2001:db8::1, separated by commas, in 1024 bytes at most"
)]
pub struct NetworkInvalid;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_a_network_or_not() {
        let in_it = |networks: &str, address: &str| {
            networks.parse::<Networks>().unwrap().contain(address.parse().unwrap())
        };
        assert!(in_it("", "203.0.113.9"));
        assert!(in_it("10.0.0.0/8", "10.255.0.1") && !in_it("10.0.0.0/8", "11.0.0.1"));
        assert!(in_it("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(in_it("192.0.2.7", "192.0.2.7") && !in_it("192.0.2.7", "192.0.2.8"));
        assert!(in_it("192.0.2.7, 2001:db8::/32", "2001:db8::9"));
        assert!(!in_it("2001:db8::/32", "2001:db9::9") && !in_it("::/0", "10.0.0.1"));
    }

    #[test]
    fn what_is_no_list_of_networks_is_refused_and_any_other_read_back() {
        for bad in ["10.0.0.0/33", "10.0.0", "a", ",", "10.0.0.0/8,", "10.0.0.0/8 10.0.0.1"] {
            assert_eq!(bad.parse::<Networks>(), Err(NetworkInvalid), "{bad}");
        }
        let of_length = |count| ["10.0.0.1"; 200][..count].join(",").parse::<Networks>();
        let most = of_length(85).unwrap();
        assert_eq!(most.to_string().parse(), Ok(most));
        assert!(of_length(86).is_err());
        for good in ["", "10.0.0.0/8", "192.0.2.7/32,2001:db8::/32"] {
            assert_eq!(good.parse::<Networks>().unwrap().to_string(), good);
        }
    }
}
