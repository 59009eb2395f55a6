//! From text to tokens, with nom.
//!
//! Slips that have one obvious reading (`==` for `=`, `//` for `#`, a letter outside ASCII) are reported here and read as meant,
//! so that the parser goes on as if nothing had happened; signs without such a reading become [`Kind::Foreign`] and are the parser's to
//! refuse, because only it knows what it expected instead.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{anychar, char, digit1, one_of, satisfy};
use nom::combinator::{map, opt, recognize, value};
use nom::sequence::preceded;
use nom::{IResult, Parser};
use nom_locate::LocatedSpan;

use super::ast::Comment;
use super::token::{Bracket, Keyword, Kind, Token, pair_brackets};
use crate::diagnostic::{Diagnostic, Stage};
use crate::source::{FileId, Span};

/// What is left of the text, and where that is.
type Rest<'a> = LocatedSpan<&'a str>;
type Lexed<'a, T> = IResult<Rest<'a>, T>;

/// Everything the lexer found.
pub(super) struct Lexemes {
    /// The tokens; the last one is [`Kind::End`].
    pub tokens: Vec<Token>,
    /// The comments, in order.
    pub comments: Vec<Comment>,
    /// The slips, in order.
    pub errors: Vec<Diagnostic>,
}

/// What stands at a place of the text.
#[derive(Clone, Debug)]
enum Lexeme {
    Blank,
    Comment,
    Token(Kind),
    /// A slip, read as a token or (if `None`) as a blank.
    Slip(Option<Kind>, Slip),
}

/// Mistakes that are understood all the same.
#[derive(Clone, Copy, Debug)]
enum Slip {
    /// What was meant.
    Habit(&'static str),
    Slashes,
    ForeignBlank,
    ForeignLetter,
    LeadingUnderscore,
    DigitsFirst,
    LeadingPoint,
    Unterminated,
    SingleQuotes,
}

/// Signs of other languages (and of typesetting) with one obvious reading.
const HABITS: [(&str, Option<Kind>, &str); 13] = [
    ("==", Some(Kind::Equals), "="),
    (":=", Some(Kind::Equals), "="),
    ("**", Some(Kind::Caret), "^"),
    ("...", Some(Kind::Rest), ".."),
    ("…", Some(Kind::Rest), ".."),
    ("×", Some(Kind::Star), "*"),
    ("·", Some(Kind::Star), "*"),
    ("⋅", Some(Kind::Star), "*"),
    ("÷", Some(Kind::Slash), "/"),
    ("−", Some(Kind::Minus), "-"),
    ("–", Some(Kind::Minus), "-"),
    (";", None, ""),
    ("\u{feff}", None, ""),
];

/// Signs of other languages with no reading here, and what to do instead.
const FOREIGN: [(&str, &str); 17] = [
    ("->", "a definition does not declare its result; `return` gives it"),
    ("=>", "a value is given with `=`"),
    ("-=", "only `=` and `+=` assign; write `y = y - ...`"),
    ("*=", "only `=` and `+=` assign; write `y = y * ...`"),
    ("/=", "only `=` and `+=` assign; write `y = y / ...`"),
    ("<=", "there are no comparisons"),
    (">=", "there are no comparisons"),
    ("!=", "there are no comparisons"),
    ("<", "there are no comparisons"),
    (">", "there are no comparisons"),
    ("@", "a matrix product is written with indices: `y[o] = w[o, i] * x[i]`"),
    ("%", "comments begin with `#`"),
    ("“", "a text stands between straight quotes: `\"...\"`"),
    ("”", "a text stands between straight quotes: `\"...\"`"),
    ("'", "a text stands between double quotes: `\"...\"`"),
    ("√", "write `sqrt(...)`, or `^(1/2)` for a length"),
    ("$", "names are letters, digits and `_`"),
];

/// Reads a whole text.
pub(super) fn lex(file: FileId, text: &str) -> Lexemes {
    let mut found = Lexemes { tokens: Vec::new(), comments: Vec::new(), errors: Vec::new() };
    let mut rest = Rest::new(text);
    if let Some(after) = opt_tag(rest, "\u{feff}") {
        rest = after;
    }
    let mut line_start = true;
    while let Ok((after, lexeme)) = lexeme(rest) {
        let span = Span::new(file, rest.location_offset(), after.location_offset());
        let taken = &text[span.range()];
        match lexeme {
            Lexeme::Blank => line_start |= taken.contains('\n'),
            Lexeme::Comment => {
                found.comments.push(Comment { text: taken.trim_end().to_owned(), span });
            }
            Lexeme::Token(kind) => found.token(kind, &mut line_start, span),
            Lexeme::Slip(kind, slip) => {
                found.slip(slip, taken, span);
                kind.into_iter().for_each(|kind| found.token(kind, &mut line_start, span));
            }
        }
        rest = after;
    }
    found.token(Kind::End, &mut true, Span::new(file, text.len(), text.len()));
    pair_brackets(&mut found.tokens);
    found
}

/// Errors beyond this many in one file are not worth the memory.
pub(super) const MOST_ERRORS: usize = 200;

impl Lexemes {
    fn token(&mut self, kind: Kind, line_start: &mut bool, span: Span) {
        self.tokens.push(Token::new(kind, *line_start, span.start, span.end));
        *line_start = false;
    }

    fn slip(&mut self, slip: Slip, taken: &str, span: Span) {
        if self.errors.len() < MOST_ERRORS {
            self.errors.push(slip.diagnostic(taken, span));
        }
    }
}

fn lexeme(rest: Rest) -> Lexed<Lexeme> {
    alt((
        blank,
        word,
        number,
        plain_sign,
        text,
        comment,
        slashes,
        habit,
        foreign,
        sign,
        single_quotes,
        unknown,
    ))
    .parse(rest)
}

/// Most signs: those that cannot be the beginning of a longer one, of this language or another. Only saves time.
fn plain_sign(rest: Rest) -> Lexed<Lexeme> {
    let mut ahead = rest.fragment().chars();
    let plain = match (ahead.next(), ahead.next()) {
        (Some('(' | ')' | '[' | ']' | '{' | '}' | ',' | '^' | '?'), _) => true,
        (Some('+' | '-' | '*' | '/' | '=' | ':'), next) => !matches!(next, Some('=' | '>' | '*' | '/')),
        (_, _) => false,
    };
    if plain { map(short_sign, Lexeme::Token).parse(rest) } else { mismatch(rest) }
}

fn blank(rest: Rest) -> Lexed<Lexeme> {
    let foreign = take_while1(|c: char| !c.is_ascii() && (c.is_whitespace() || c == '\u{200b}'));
    alt((
        value(Lexeme::Blank, take_while1(|c: char| c.is_ascii_whitespace())),
        value(Lexeme::Slip(None, Slip::ForeignBlank), foreign),
    ))
    .parse(rest)
}

fn comment(rest: Rest) -> Lexed<Lexeme> {
    value(Lexeme::Comment, (char('#'), to_line_end)).parse(rest)
}

fn slashes(rest: Rest) -> Lexed<Lexeme> {
    value(Lexeme::Slip(None, Slip::Slashes), (alt((tag("//"), tag("/*"))), to_line_end)).parse(rest)
}

fn to_line_end(rest: Rest) -> Lexed<Rest> {
    take_while(|c: char| c != '\n').parse(rest)
}

fn habit(rest: Rest) -> Lexed<Lexeme> {
    let found =
        HABITS.iter().find_map(|(sign, kind, meant)| Some((opt_tag(rest, sign)?, *kind, Slip::Habit(meant))));
    match found {
        Some((after, kind, slip)) => Ok((after, Lexeme::Slip(kind, slip))),
        None => mismatch(rest),
    }
}

fn foreign(rest: Rest) -> Lexed<Lexeme> {
    let double = FOREIGN.iter().filter(|(sign, _)| *sign != "'");
    match double.into_iter().find_map(|(sign, advice)| Some((opt_tag(rest, sign)?, *advice))) {
        Some((after, advice)) => Ok((after, Lexeme::Token(Kind::Foreign(Some(advice))))),
        None => mismatch(rest),
    }
}

fn sign(rest: Rest) -> Lexed<Lexeme> {
    let long = alt((value(Kind::Rest, tag("..")), value(Kind::PlusEquals, tag("+="))));
    let (after, kind) = alt((long, short_sign)).parse(rest)?;
    let point = kind == Kind::Dot && after.fragment().starts_with(|c: char| c.is_ascii_digit());
    if point { mismatch(rest) } else { Ok((after, Lexeme::Token(kind))) }
}

fn short_sign(rest: Rest) -> Lexed<Kind> {
    map(one_of("()[]{},.:=+-*/^?"), |sign| match sign {
        '(' => Kind::Open(Bracket::Round),
        ')' => Kind::Close(Bracket::Round),
        '[' => Kind::Open(Bracket::Square),
        ']' => Kind::Close(Bracket::Square),
        '{' => Kind::Open(Bracket::Curly),
        '}' => Kind::Close(Bracket::Curly),
        ',' => Kind::Comma,
        '.' => Kind::Dot,
        ':' => Kind::Colon,
        '=' => Kind::Equals,
        '+' => Kind::Plus,
        '-' => Kind::Minus,
        '*' => Kind::Star,
        '/' => Kind::Slash,
        '^' => Kind::Caret,
        _ => Kind::Hole,
    })
    .parse(rest)
}

fn number(rest: Rest) -> Lexed<Lexeme> {
    let (after, first) =
        alt((recognize((digits, opt(point), opt(power))), recognize((point, opt(power))))).parse(rest)?;
    if let Ok((after, _)) = letters(after) {
        return Ok((after, Lexeme::Slip(Some(Kind::Number), Slip::DigitsFirst)));
    }
    if first.fragment().starts_with('.') {
        return Ok((after, Lexeme::Slip(Some(Kind::Number), Slip::LeadingPoint)));
    }
    Ok((after, Lexeme::Token(Kind::Number)))
}

fn digits(rest: Rest) -> Lexed<Rest> {
    recognize((digit1, take_while(|c: char| c.is_ascii_digit() || c == '_'))).parse(rest)
}

fn point(rest: Rest) -> Lexed<Rest> {
    recognize(preceded(char('.'), digits)).parse(rest)
}

fn power(rest: Rest) -> Lexed<Rest> {
    recognize((one_of("eE"), opt(one_of("+-")), digit1)).parse(rest)
}

/// A run of what looks like a name, whether or not the language allows it.
fn letters(rest: Rest) -> Lexed<Rest> {
    let letter = satisfy(|c: char| c.is_alphabetic() || c == '_');
    recognize((letter, take_while(|c: char| c.is_alphanumeric() || c == '_'))).parse(rest)
}

fn word(rest: Rest) -> Lexed<Lexeme> {
    let (after, word) = letters(rest)?;
    let lexeme = if !word.is_ascii() {
        Lexeme::Slip(Some(Kind::Name), Slip::ForeignLetter)
    } else if word.starts_with('_') {
        Lexeme::Slip(Some(Kind::Name), Slip::LeadingUnderscore)
    } else {
        Lexeme::Token(Keyword::find(&word).map_or(Kind::Name, Kind::Keyword))
    };
    Ok((after, lexeme))
}

fn text(rest: Rest) -> Lexed<Lexeme> {
    let inside = take_while(|c: char| !matches!(c, '"' | '\n' | '\r'));
    let (after, closed) = preceded((char('"'), inside), opt(char('"'))).parse(rest)?;
    let lexeme = match closed {
        Some(_) => Lexeme::Token(Kind::Text),
        None => Lexeme::Slip(Some(Kind::Text), Slip::Unterminated),
    };
    Ok((after, lexeme))
}

fn single_quotes(rest: Rest) -> Lexed<Lexeme> {
    let inside = take_while(|c: char| !matches!(c, '\'' | '\n'));
    value(Lexeme::Slip(Some(Kind::Text), Slip::SingleQuotes), (char('\''), inside, char('\''))).parse(rest)
}

/// Whatever is left: a run of signs that mean nothing.
fn unknown(rest: Rest) -> Lexed<Lexeme> {
    let (after, first) = anychar(rest)?;
    let (after, _) = take_while(|c: char| c == first).parse(after)?;
    let advice = FOREIGN.iter().find(|(sign, _)| sign.starts_with(first)).map(|(_, advice)| *advice);
    Ok((after, Lexeme::Token(Kind::Foreign(advice))))
}

fn opt_tag<'a>(rest: Rest<'a>, sign: &str) -> Option<Rest<'a>> {
    let found: Lexed<Rest> = tag(sign).parse(rest);
    found.ok().map(|(after, _)| after)
}

fn mismatch<T>(rest: Rest) -> Lexed<T> {
    Err(nom::Err::Error(nom::error::Error::new(rest, nom::error::ErrorKind::Alt)))
}

impl Slip {
    fn diagnostic(self, taken: &str, span: Span) -> Diagnostic {
        let shown: String = taken.trim_end().chars().take(30).collect();
        let error = |message: String| Diagnostic::new(Stage::Syntax, message);
        match self {
            Slip::Habit("") if taken == ";" => error("`;` is not part of the language".into())
                .at(span, "leave it out")
                .help("a statement ends where the next one starts"),
            Slip::Habit("") => {
                error("a byte order mark in the middle of the text".into()).at(span, "delete it")
            }
            Slip::Habit(meant) => {
                error(format!("`{shown}` is not part of the language")).at(span, format!("write `{meant}`"))
            }
            Slip::Slashes => error(format!("`{}` does not begin a comment", &taken[..2]))
                .at(span, "comments begin with `#`"),
            Slip::ForeignBlank => {
                error(format!("a blank of a kind the language does not know ({})", code(taken)))
                    .at(span, "replace it by a space")
            }
            Slip::ForeignLetter => error(format!("`{shown}` cannot be a name"))
                .at(span, format!("contains `{}`", taken.chars().find(|c| !c.is_ascii()).unwrap_or('?')))
                .help("names are made of the letters a to z and A to Z, digits and `_`"),
            Slip::LeadingUnderscore => {
                error(format!("`{shown}` cannot be a name")).at(span, "a name begins with a letter")
            }
            Slip::DigitsFirst => digits_first(&shown, span),
            Slip::LeadingPoint => {
                error("a number begins with a digit".into()).at(span, format!("write `0{shown}`"))
            }
            Slip::Unterminated => error("a text that is never closed".into())
                .at(span, "`\"` opens it, and the line ends before another `\"`"),
            Slip::SingleQuotes => error("a text stands between double quotes".into())
                .at(span, format!("write `\"{}\"`", shown.trim_matches('\''))),
        }
    }
}

fn digits_first(taken: &str, span: Span) -> Diagnostic {
    let split = taken.find(|c: char| c.is_alphabetic() || c == '_').unwrap_or(0);
    let (digits, name) = taken.split_at(split);
    Diagnostic::new(Stage::Syntax, format!("`{taken}` is neither a number nor a name"))
        .at(span, "begins with a digit and goes on with letters")
        .help(format!("a product is written with its sign: `{digits}*{name}`"))
}

fn code(taken: &str) -> String {
    taken.chars().next().map_or(String::new(), |c| format!("U+{:04X}", u32::from(c)))
}
