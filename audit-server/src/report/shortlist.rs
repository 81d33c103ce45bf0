//! The first of many, when what they are called is dear.
//!
//! The text of a user is read from the trail, so it is asked for those that a list shows and not for
//! all that could have been in it. Still the list must be the same each time: where it ends between
//! some that are equal, their texts decide.

/// Texts are compared of at most so many that are equal where a list ends.
pub(crate) const MAX_TIES: usize = 256;

/// The first `most` in the order of `key`, least first, with their texts, and how many there are in all.
/// Those that are equal in it are in the order of their texts. When more than [`MAX_TIES`] are equal
/// where the list ends, `tie` decides which are in it.
pub(crate) fn shortlist<S, K: Ord, O: Ord, N: Ord>(
    mut all: Vec<S>,
    most: usize,
    key: impl Fn(&S) -> K,
    tie: impl Fn(&S) -> O,
    mut text: impl FnMut(&S) -> N,
) -> (Vec<(S, N)>, u64) {
    let total = all.len() as u64;
    if most > 0 && all.len() > most {
        let (_, last, _) = all.select_nth_unstable_by(most - 1, |a, b| key(a).cmp(&key(b)));
        let last = key(last);
        all.retain(|item| key(item) <= last);
        if all.len() > most + MAX_TIES {
            all.sort_by_key(|item| (key(item), tie(item)));
            all.truncate(most + MAX_TIES);
        }
    }
    let named = all.into_iter().map(|item| {
        let name = text(&item);
        (item, name)
    });
    let mut named: Vec<(S, N)> = named.collect();
    named.sort_by(|(a, a_name), (b, b_name)| (key(a), a_name).cmp(&(key(b), b_name)));
    named.truncate(most);
    (named, total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(all: Vec<(u32, u32)>, most: usize, asked: &mut usize) -> (Vec<String>, u64) {
        let text = |item: &(u32, u32)| {
            *asked += 1;
            format!("{:05}", item.1)
        };
        let (named, total) = shortlist(all, most, |item| item.0, |item| item.1, text);
        (named.into_iter().map(|(_, name)| name).collect(), total)
    }

    #[test]
    fn a_list_that_ends_between_equals_has_those_with_the_least_texts() {
        let mut asked = 0;
        let all = vec![(7, 9), (5, 4), (7, 3), (1, 8), (9, 0), (7, 2)];
        let (names, total) = first(all, 4, &mut asked);
        assert_eq!(names, ["00008", "00004", "00002", "00003"]);
        assert_eq!((total, asked), (6, 5));
        assert_eq!(first(vec![(2, 1), (1, 2)], 4, &mut asked).0, ["00002", "00001"]);
        assert_eq!(first(vec![(2, 1), (1, 2)], 0, &mut asked).0, [""; 0]);
    }

    #[test]
    fn texts_are_asked_for_few_however_many_are_equal() {
        let mut asked = 0;
        let all = (0..10_000).rev().map(|number| (1, number)).collect();
        let (names, total) = first(all, 2, &mut asked);
        assert_eq!((names, total), (vec!["00000".to_owned(), "00001".to_owned()], 10_000));
        assert_eq!(asked, 2 + MAX_TIES);
    }
}
