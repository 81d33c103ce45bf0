//! Which encoding of a body a client likes best (RFC 9110, section 12.5.3).

use crate::export::Compression;

/// What we can do, what we would rather do first.
const OFFERS: [(&str, Compression); 3] =
    [("zstd", Compression::Zstd), ("gzip", Compression::Gzip), ("identity", Compression::None)];

/// The encoding that these values of `Accept-Encoding` rate highest; none when they exclude all.
pub(super) fn chosen<'v>(values: impl IntoIterator<Item = &'v str>) -> Option<Compression> {
    let mut rated = Vec::new();
    for item in values.into_iter().flat_map(|value| value.split(',')) {
        let mut parameters = item.split(';').map(str::trim);
        let coding = parameters.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parameters.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then_some(value.trim())
        });
        rated.push((coding, quality.map_or(1000, thousandths)));
    }
    let quality = |coding: &str| {
        let of = |wanted: &str| {
            rated.iter().find(|(known, _)| known == wanted).map(|(_, quality)| *quality)
        };
        let alias = if coding == "gzip" { of("x-gzip") } else { None };
        of(coding).or(alias).or_else(|| of("*"))
    };
    let mut best = None;
    for (coding, compression) in OFFERS {
        // Not to encode is allowed unless it is excluded, but rated below all that is asked for.
        let rating = quality(coding).map(|quality| (quality > 0).then_some(quality));
        let rating = match rating {
            None if coding == "identity" => Some(0),
            rating => rating.flatten(),
        };
        if let Some(rating) = rating
            && best.is_none_or(|(highest, _)| rating > highest)
        {
            best = Some((rating, compression));
        }
    }
    best.map(|(_, compression)| compression)
}

/// A weight of three decimals at most; 0 for what is none.
fn thousandths(text: &str) -> u16 {
    let weight = text.parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight));
    weight.map_or(0, |weight| (weight * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_rated_encoding_is_chosen_and_zstd_of_equals() {
        for (values, expected) in [
            (&[][..], Some(Compression::None)),
            (&[""], Some(Compression::None)),
            (&["gzip"], Some(Compression::Gzip)),
            (&["GZip;Q=0.5"], Some(Compression::Gzip)),
            (&["x-gzip"], Some(Compression::Gzip)),
            (&["gzip, zstd"], Some(Compression::Zstd)),
            (&["gzip", "zstd;q=1.0"], Some(Compression::Zstd)),
            (&["gzip;q=0.9, zstd;q=0.8, br"], Some(Compression::Gzip)),
            (&["deflate, br"], Some(Compression::None)),
            (&["*"], Some(Compression::Zstd)),
            (&["*;q=0.5, gzip"], Some(Compression::Gzip)),
            (&["zstd;q=0, *"], Some(Compression::Gzip)),
            (&["zstd;q=0"], Some(Compression::None)),
            (&["identity, gzip;q=0.5"], Some(Compression::None)),
            (&["gzip;q=0.5, identity;q=0"], Some(Compression::Gzip)),
            (&["gzip;q=bad"], Some(Compression::None)),
            (&["identity;q=0"], None),
            (&["*;q=0"], None),
            (&["*;q=0, identity"], Some(Compression::None)),
        ] {
            assert_eq!(chosen(values.iter().copied()), expected, "{values:?}");
        }
    }
}
