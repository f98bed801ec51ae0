//! Lines that are longer than the terminal, folded between words; what follows hangs below the
//! text, beside the columns before it. A pipe gets every line whole. Decides nothing.

use std::io;

use rustix::termios::tcgetwinsize;

/// A terminal that says it is narrower is not believed, or not worth it.
const LEAST: usize = 40;

/// Columns of standard output: of the terminal, else of `COLUMNS`. None where it is none.
pub(super) fn columns() -> Option<usize> {
    let says = tcgetwinsize(io::stdout()).ok()?.ws_col;
    let variable = || std::env::var("COLUMNS").ok()?.parse().ok();
    let columns = if says > 0 { Some(usize::from(says)) } else { variable() };
    columns.filter(|columns| *columns >= LEAST)
}

/// `text` with no line longer than `width`, but for words that are.
pub(super) fn wrap(text: &str, width: usize) -> String {
    let mut folded = String::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive('\n') {
        if seen(line.trim_end_matches('\n')) <= width {
            folded.push_str(line);
        } else {
            fold(line, width, &mut folded);
        }
    }
    folded
}

fn fold(line: &str, width: usize, folded: &mut String) {
    let hang = hang(line, width);
    let mut column = 0;
    for (gap, word) in words(line) {
        if column > hang && column + gap.len() + seen(word.trim_end_matches('\n')) > width {
            folded.push('\n');
            folded.push_str(&" ".repeat(hang));
            column = hang;
        } else {
            folded.push_str(gap);
            column += gap.len();
        }
        folded.push_str(word);
        column += seen(word);
    }
}

/// Where the rest of a long line begins: at its last column, else a little further in than it.
/// Columns stand two blanks apart.
fn hang(line: &str, width: usize) -> usize {
    let most = width * 3 / 5;
    let (mut column, mut hang) = (0, 2);
    for (index, (gap, word)) in words(line).enumerate() {
        column += gap.len();
        match index {
            0 => hang = column + 2,
            _later if gap.len() >= 2 && column <= most => hang = column,
            _later => {}
        }
        column += seen(word);
    }
    hang.min(most)
}

/// Each word with the blanks before it.
fn words(mut rest: &str) -> impl Iterator<Item = (&str, &str)> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let begins = rest.find(|it| it != ' ').unwrap_or(rest.len());
        let ends = rest[begins..].find(' ').map_or(rest.len(), |length| begins + length);
        let (gap, word) = (&rest[..begins], &rest[begins..ends]);
        rest = &rest[ends..];
        Some((gap, word))
    })
}

/// Columns that a text takes; what only stresses it takes none.
fn seen(text: &str) -> usize {
    let (mut columns, mut escaped) = (0, false);
    for it in text.chars() {
        match (escaped, it) {
            (false, '\x1b') => escaped = true,
            (false, _) => columns += 1,
            (true, _) => escaped = !it.is_ascii_alphabetic(),
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_hangs_below_the_last_column() {
        let notice = "2026-12-01 02:00:11  raised    major     ha-link-lost on pair: HA link \
                      lost: ha0 silent for 11 s, no carrier at gw-a.\n";
        assert_eq!(
            wrap(notice, 80),
            "2026-12-01 02:00:11  raised    major     ha-link-lost on pair: HA link lost: ha0\n\
             \x20                                        silent for 11 s, no carrier at gw-a.\n"
        );
        let row = "paths       ha0              SILENT for 3 min 5 s, NO CARRIER and more of it\n";
        assert_eq!(
            wrap(row, 60),
            "paths       ha0              SILENT for 3 min 5 s, NO\n\
             \x20                            CARRIER and more of it\n"
        );
    }

    #[test]
    fn a_sentence_hangs_a_little_further_in_and_short_lines_stay() {
        let text = "1. What is true?\n   This node is gw-a, the primary, and this is too long.\n";
        assert_eq!(
            wrap(text, 40),
            "1. What is true?\n   This node is gw-a, the primary, and\n     this is too long.\n"
        );
    }

    #[test]
    fn no_word_is_split_and_nothing_is_lost() {
        let path = "/var/lib/twinwall/a/very/long/path/that/somebody/may/want/to/copy";
        let text =
            format!("  file       {path} is full, and a lot more is to be said of it\n\nEnd");
        let folded = wrap(&text, 50);
        assert!(folded.contains(path) && folded.ends_with("\n\nEnd"), "{folded}");
        let whole = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(whole(&folded), whole(&text));
        let long: Vec<&str> = folded.lines().filter(|line| line.len() > 50).collect();
        assert_eq!(long.len(), 1, "only the path: {long:?}");
    }

    #[test]
    fn colour_takes_no_room() {
        let text = format!("\x1b[1;31mALARM\x1b[0m  {}\n", "word ".repeat(6).trim_end());
        assert_eq!(wrap(&text, 40), text);
        assert_eq!(seen("\x1b[H\x1b[2Jgw-ä"), 4);
    }
}
