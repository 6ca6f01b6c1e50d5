//! Generates text that may be a quantity from a seed. About half of it is valid, and much of it is an edge case.

/// A text for both sides.
pub(super) struct Case {
    pub(super) text: String,
    /// Whether Go can compare it with its neighbours: that writes out all digits of the exponent.
    pub(super) compared: bool,
}

/// An endless sequence of cases, the same for the same seed.
pub(super) struct Generator {
    random: Random,
    /// The second text of a pair that is to be compared.
    second: Option<String>,
}

const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// What looks like a suffix or an exponent and, for the most part, is none.
const NEAR_MISSES: [&str; 48] = [
    "K", "i", "ki", "mi", "KI", "Kii", "KiB", "Mib", "MB", "Gb", "gi", "g", "t", "N", "U", "kk", "mm", "Em", "mE",
    "ni", "ui", "e", "e+", "E-", "e-", "ee5", "Ee5", "e5e", "e1.5", "e--1", "e+-1", "e 5", "e5m", "Ei5", "Ki-1", "m3",
    "+3", "-3", "+", "-", ".", "e.", "µ", "E+Ki", "eE", "e1_0", "0x1", "e0x1",
];
const SPACES: [&str; 8] = [" ", "  ", "\t", "\n", "\r\n", "\u{a0}", "\u{2003}", "\u{feff}"];
const FOREIGN: [&str; 12] = [
    "１", "٣", "−", "，", "·", "\0", "\u{200b}", "é", "K", "😀", "µ", "\u{7f}",
];
const LETTERS: &[u8] = b"00112233445566778899..+-eEinumkKMGTPi";

impl Iterator for Generator {
    type Item = Case;

    fn next(&mut self) -> Option<Case> {
        if let Some(text) = self.second.take() {
            return Some(Case { text, compared: true });
        }
        let text = match self.random.below(100) {
            0..4 => {
                return Some(Case {
                    text: self.vast(),
                    compared: false,
                });
            }
            4..11 => self.decimal_pair(),
            11..17 => self.binary_pair(),
            17..20 => self.halves(),
            20..32 => self.valid(),
            32..54 => self.number() + self.random.pick(&NEAR_MISSES),
            54..71 => self.edited(),
            71..86 => self.spoilt(),
            _ => self.noise(),
        };
        // Not a quantity that takes Go minutes; one of those can only come of an edit or of noise.
        Some(if bearable(&text) {
            Case { text, compared: true }
        } else {
            Case {
                text: self.valid(),
                compared: true,
            }
        })
    }
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Generator {
            random: Random(seed),
            second: None,
        }
    }

    /// A quantity, unless it is one of the few that lack a digit or have an exponent above 64 bits.
    fn valid(&mut self) -> String {
        self.number() + &self.suffix()
    }

    fn number(&mut self) -> String {
        let integer = self.digits();
        let fraction = match self.random.below(20) {
            0..10 => return self.dressed(&integer),
            10 => String::new(),
            11..15 => self.random.digits(1, 6),
            15 => self.random.digits(7, 14),
            16 => self.random.digits(15, 40),
            17 => self.random.digits(60, 90),
            18 => "0".repeat(self.random.between(1, 12)) + &self.random.digits(1, 3),
            _ => "9".repeat(self.random.between(1, 12)),
        };
        let zeros = if self.random.one_in(4) {
            self.random.between(1, 5)
        } else {
            0
        };
        let integer = if self.random.one_in(12) { String::new() } else { integer };
        self.dressed(&format!("{integer}.{fraction}{}", "0".repeat(zeros)))
    }

    /// Puts a sign or zeros before a number, now and then.
    fn dressed(&mut self, number: &str) -> String {
        let sign = match self.random.below(8) {
            0 => "-",
            1 => "+",
            _ => "",
        };
        let zeros = if self.random.one_in(8) {
            self.random.between(1, 4)
        } else {
            0
        };
        format!("{sign}{}{number}", "0".repeat(zeros))
    }

    fn digits(&mut self) -> String {
        match self.random.below(20) {
            0..8 => self.random.digits(1, 4),
            8..11 => self.random.digits(5, 12),
            11 => self.random.digits(13, 16),
            12..14 => self.random.digits(17, 20),
            14 => self.random.digits(21, 40),
            15 => self.random.digits(1, 16) + &"0".repeat(self.random.between(1, 24)),
            16 => "0".repeat(self.random.between(1, 4)),
            _ => self.boundary(),
        }
    }

    /// An integer at or beside one where something changes.
    fn boundary(&mut self) -> String {
        let centre = match self.random.below(5) {
            0 => 1_u128 << self.random.pick(&[10, 20, 30, 31, 32, 40, 50, 53, 60, 62, 63, 64, 70]),
            1 => 10_u128.pow(self.random.between(0, 25) as u32),
            2 => self.random.pick(&[1023_u128, 1024, 1025]) * u128::from(self.random.below(5000)),
            3 => u128::from(self.random.below(5000)) << (10 * self.random.between(0, 6)),
            _ => (1_u128 << 63) >> (10 * self.random.between(0, 6)),
        };
        (centre + u128::from(self.random.below(3)))
            .saturating_sub(1)
            .to_string()
    }

    fn suffix(&mut self) -> String {
        match self.random.below(20) {
            0..3 => String::new(),
            3..10 => self.random.pick(&DECIMAL).0.to_owned(),
            10..15 => self.random.pick(&BINARY).to_owned(),
            _ => self.exponent(),
        }
    }

    fn exponent(&mut self) -> String {
        let power = match self.random.below(20) {
            0..15 => self.random.signed(40),
            15 => self.random.signed(400),
            // Go keeps the low 32 bits.
            16 | 17 => self.random.signed(1 << 30) * (1 << 32) + self.random.signed(40),
            18 => i128::from(i64::MAX) + self.random.signed(20),
            _ => i128::from(i64::MIN) + self.random.signed(20),
        };
        self.spelt_exponent(power)
    }

    fn spelt_exponent(&mut self, power: i128) -> String {
        let letter = self.random.pick(&["e", "E"]);
        let sign = match power {
            ..0 => "-",
            _ if self.random.one_in(4) => "+",
            _ => "",
        };
        let zeros = if self.random.one_in(8) {
            self.random.between(1, 20)
        } else {
            0
        };
        format!("{letter}{sign}{}{}", "0".repeat(zeros), power.unsigned_abs())
    }

    /// One decimal number in two spellings, or two numbers that differ in the last place.
    fn decimal_pair(&mut self) -> String {
        let sign = self.random.pick(&["", "", "-"]);
        let digits = match self.random.below(3) {
            0 => self.random.digits(1, 5),
            1 => self.random.digits(1, 28),
            _ => self.boundary(),
        };
        let power = self.random.signed(15) as i32;
        let mut other = digits.clone();
        let mut other_power = power;
        if self.random.one_in(3) {
            let tiny = self.random.between(1, 12);
            other += &format!("{:0tiny$}", self.random.below(2));
            other_power -= tiny as i32;
        }
        self.second = Some(format!("{sign}{}", self.spelt(&other, other_power)));
        format!("{sign}{}", self.spelt(&digits, power))
    }

    /// `digits × 10^power`, with some suffix or exponent and the dot where that asks for it.
    fn spelt(&mut self, digits: &str, power: i32) -> String {
        let (suffix, suffix_power) = if self.random.one_in(3) {
            let power = self.random.signed(40) as i32;
            (self.spelt_exponent(power.into()), power)
        } else {
            let (suffix, power) = self.random.pick(&DECIMAL);
            (suffix.to_owned(), power)
        };
        let shift = power - suffix_power;
        let places = shift.unsigned_abs() as usize;
        let zeros = if self.random.one_in(6) {
            self.random.between(1, 6)
        } else {
            0
        };
        let zeros = "0".repeat(zeros);
        if shift >= 0 {
            return format!("{zeros}{digits}{}{suffix}", "0".repeat(places));
        }
        let padded = format!("{digits:0>width$}", width = places + 1);
        let (integer, fraction) = padded.split_at(padded.len() - places);
        format!("{integer}.{fraction}{zeros}{suffix}")
    }

    /// One binary number with two suffixes, or two that differ by one.
    fn binary_pair(&mut self) -> String {
        let sign = self.random.pick(&["", "", "-"]);
        let number = match self.random.below(3) {
            0 => self.random.below(5000),
            1 => self.random.below(1 << 40),
            _ => self.random.below(64) * 1024 + self.random.below(3),
        };
        let unit = self.random.between(0, 6);
        let other = self.random.between(0, 6);
        let number_there = number + u64::from(self.random.one_in(4));
        let there = if other >= unit {
            halved(number_there, 10 * (other - unit))
        } else {
            (u128::from(number_there) << (10 * (unit - other))).to_string()
        };
        self.second = Some(format!("{sign}{there}{}", BINARY[other]));
        format!("{sign}{number}{}", BINARY[unit])
    }

    /// A binary number with a long fraction that comes out even, or beside even, somewhere around a nano or the cap.
    fn halves(&mut self) -> String {
        let unit = self.random.between(0, 6);
        let (number, times) = match self.random.below(4) {
            0 => (self.random.below(1 << 12), self.random.between(1, 90)),
            1 => (u64::MAX >> self.random.between(1, 60), self.random.between(1, 90)),
            2 => (self.random.below(u64::MAX), self.random.between(1, 90)),
            _ => ((1 << 63) - 3 + self.random.below(4), 10 * unit),
        };
        let mut text = halved(number, times);
        match self.random.below(4) {
            0 => {
                text.pop();
            }
            1 => text += &format!("{}1", "0".repeat(self.random.between(0, 30))),
            _ => {}
        }
        let sign = self.random.pick(&["", "", "-"]);
        format!("{sign}{text}{}", BINARY[unit])
    }

    /// A quantity with a few changes.
    fn edited(&mut self) -> String {
        let mut text: Vec<char> = self.valid().chars().collect();
        for _ in 0..self.random.between(1, 3) {
            let place = self.random.between(0, text.len());
            let letter = char::from(self.random.pick(LETTERS));
            match self.random.below(5) {
                0 => text.insert(place, letter),
                _ if place == text.len() => text.push(letter),
                1 => text[place] = letter,
                2 => {
                    text.remove(place);
                }
                3 => text.insert(place, text[place]),
                _ => {
                    let other = self.random.between(0, text.len() - 1);
                    text.swap(place, other);
                }
            }
        }
        text.into_iter().collect()
    }

    /// A quantity with a space or a foreign character somewhere.
    fn spoilt(&mut self) -> String {
        let mut text = self.valid();
        let foreign = if self.random.one_in(2) {
            self.random.pick(&SPACES)
        } else {
            self.random.pick(&FOREIGN)
        };
        let place = match self.random.below(3) {
            0 => 0,
            1 => text.len(),
            _ => self.random.between(0, text.len()),
        };
        text.insert_str(place, foreign);
        text
    }

    /// Letters in any order.
    fn noise(&mut self) -> String {
        (0..self.random.between(0, 9))
            .map(|_| char::from(self.random.pick(LETTERS)))
            .collect()
    }

    /// A quantity whose exponent is so large, or wraps around to be so large, that Go can print it but not compare it.
    /// It has at most 18 digits: with more, Go would not come back.
    fn vast(&mut self) -> String {
        let integer = self.random.digits(1, 9);
        let limit = i128::from(i32::MAX);
        if self.random.one_in(2) {
            let power = limit - i128::from(self.random.below(20));
            return self.dressed(&integer) + &self.spelt_exponent(power);
        }
        let fraction = self.random.digits(1, 9);
        let power = -limit - 1 + i128::from(self.random.below(fraction.len() as u64));
        self.dressed(&format!("{integer}.{fraction}")) + &self.spelt_exponent(power)
    }
}

/// Whether Go can read and compare the text in good time.
fn bearable(text: &str) -> bool {
    let Some(exponent) = text.rfind(['e', 'E']) else {
        return true;
    };
    text[exponent + 1..]
        .parse::<i64>()
        .map_or(true, |power| (power as i32).unsigned_abs() <= 1000)
}

/// `number / 2^times` with all of its digits.
fn halved(number: u64, times: usize) -> String {
    let mut integer = number;
    let mut fraction: Vec<u8> = Vec::new();
    for _ in 0..times {
        let mut rest = (integer % 2) as u8;
        integer /= 2;
        for digit in &mut fraction {
            let value = rest * 10 + *digit;
            (*digit, rest) = (value / 2, value % 2);
        }
        if rest == 1 {
            fraction.push(5);
        }
    }
    let fraction: String = fraction.iter().map(|digit| char::from(b'0' + digit)).collect();
    if fraction.is_empty() {
        integer.to_string()
    } else {
        format!("{integer}.{fraction}")
    }
}

/// SplitMix64: small, and the same on every machine, so that a seed in a report stays meaningful.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// From the first to the second, both included.
    fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below((last - first + 1) as u64) as usize
    }

    fn signed(&mut self, limit: i64) -> i128 {
        i128::from(self.below(2 * limit as u64 + 1)) - i128::from(limit)
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.between(0, from.len() - 1)]
    }

    fn digits(&mut self, shortest: usize, longest: usize) -> String {
        (0..self.between(shortest, longest))
            .map(|_| char::from(b'0' + self.below(10) as u8))
            .collect()
    }
}
