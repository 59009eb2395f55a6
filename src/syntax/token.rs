//! The words of the language: what the lexer gives and the parser reads.
//!
//! A token is a kind and a range of bytes; names and numbers are read from the text when they are needed. Brackets know their
//! partner before the parser starts, which is what lets it jump over a broken list, or tell a missing brace from a stray one,
//! without searching.

/// A token: what it is and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub kind: Kind,
    /// Whether nothing but blanks stands before it in its line.
    pub line_start: bool,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// The index of the bracket that closes or opens this one; `NO_PARTNER` if there is none.
    partner: u32,
}

const NO_PARTNER: u32 = u32::MAX;

impl Token {
    /// A token at `start..end`.
    pub fn new(kind: Kind, line_start: bool, start: u32, end: u32) -> Token {
        Token { kind, line_start, start, end, partner: NO_PARTNER }
    }

    /// The index of the other bracket of the pair, if it has one.
    pub fn partner(&self) -> Option<usize> {
        (self.partner != NO_PARTNER).then_some(self.partner as usize)
    }
}

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    Text,
    Keyword(Keyword),
    Open(Bracket),
    Close(Bracket),
    Comma,
    Dot,
    Rest,
    Colon,
    Equals,
    PlusEquals,
    Plus,
    Minus,
    Star,
    Slash,
    Caret,
    Hole,
    /// Signs the language has no use for, with advice where another language's habit is likely.
    Foreign(Option<&'static str>),
    End,
}

/// The three pairs of brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket {
    Round,
    Square,
    Curly,
}

impl Bracket {
    /// How it opens.
    pub fn open(self) -> &'static str {
        match self {
            Bracket::Round => "(",
            Bracket::Square => "[",
            Bracket::Curly => "{",
        }
    }

    /// How it closes.
    pub fn close(self) -> &'static str {
        match self {
            Bracket::Round => ")",
            Bracket::Square => "]",
            Bracket::Curly => "}",
        }
    }
}

/// The words that cannot be names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    Network,
    Use,
    Scale,
    Dim,
    Input,
    Target,
    Param,
    Def,
    Repeat,
    Return,
    Loss,
    Name,
    Shared,
    As,
    Over,
    In,
    Frozen,
    Parameterization,
    Expect,
    Experiment,
}

impl Keyword {
    /// All of them: first those that begin a statement, then the others.
    pub const ALL: [(Keyword, &'static str); 20] = [
        (Keyword::Network, "network"),
        (Keyword::Use, "use"),
        (Keyword::Scale, "scale"),
        (Keyword::Dim, "dim"),
        (Keyword::Input, "input"),
        (Keyword::Target, "target"),
        (Keyword::Param, "param"),
        (Keyword::Def, "def"),
        (Keyword::Repeat, "repeat"),
        (Keyword::Return, "return"),
        (Keyword::Loss, "loss"),
        (Keyword::Name, "name"),
        (Keyword::Parameterization, "parameterization"),
        (Keyword::Expect, "expect"),
        (Keyword::Experiment, "experiment"),
        (Keyword::Shared, "shared"),
        (Keyword::As, "as"),
        (Keyword::Over, "over"),
        (Keyword::In, "in"),
        (Keyword::Frozen, "frozen"),
    ];

    /// The keyword a word is, if it is one.
    pub fn find(word: &str) -> Option<Keyword> {
        Keyword::ALL.iter().find(|(_, text)| *text == word).map(|(keyword, _)| *keyword)
    }

    /// Whether statements begin with it.
    pub fn begins_statement(self) -> bool {
        use Keyword::{As, Frozen, In, Over, Shared};
        !matches!(self, Shared | As | Over | In | Frozen)
    }

    /// Where a keyword that begins no statement belongs.
    pub fn place(self) -> Option<&'static str> {
        match self {
            Keyword::Shared => Some("`shared` stands behind the count: `repeat L shared { ... }`"),
            Keyword::As => Some("`as` labels a repetition, a call, or a parameter's external name"),
            Keyword::Over => Some(
                "`over i` is an argument of a call: `softmax(x, over i)`, or goes along an axis: `repeat t over seq`",
            ),
            Keyword::In => {
                Some("`in` stands behind data that are whole numbers: `input tokens[seq] in vocab`")
            }
            Keyword::Frozen => Some("`frozen` stands behind a parameter: `param w[n] = 0 frozen`"),
            _ => None,
        }
    }
}

/// Pairs the brackets, in linear time. A statement's keyword ends whatever list was left open before it.
pub(super) fn pair_brackets(tokens: &mut [Token]) {
    let mut open = OpenBrackets::default();
    for at in 0..tokens.len() {
        match tokens[at].kind {
            Kind::Open(bracket) => {
                if bracket == Bracket::Curly {
                    open.drop_lists();
                }
                open.push(bracket, at);
            }
            Kind::Close(bracket) => {
                if let Some(partner) = open.pop(bracket) {
                    tokens[at].partner = partner as u32;
                    tokens[partner].partner = at as u32;
                }
            }
            Kind::Keyword(keyword) if keyword.begins_statement() && tokens[at].line_start => {
                open.drop_lists()
            }
            _ => {}
        }
    }
}

/// The brackets that are open at a token; lists (round and square) never reach over a brace.
#[derive(Default)]
struct OpenBrackets {
    curly: Vec<usize>,
    lists: Vec<(Bracket, usize)>,
    round: usize,
    square: usize,
}

impl OpenBrackets {
    fn count(&mut self, bracket: Bracket) -> &mut usize {
        if bracket == Bracket::Round { &mut self.round } else { &mut self.square }
    }

    fn push(&mut self, bracket: Bracket, at: usize) {
        if bracket == Bracket::Curly {
            return self.curly.push(at);
        }
        *self.count(bracket) += 1;
        self.lists.push((bracket, at));
    }

    fn drop_lists(&mut self) {
        self.lists.clear();
        (self.round, self.square) = (0, 0);
    }

    /// The innermost open bracket of this kind; those opened inside it stay without a partner.
    fn pop(&mut self, bracket: Bracket) -> Option<usize> {
        if bracket == Bracket::Curly {
            self.drop_lists();
            return self.curly.pop();
        }
        if *self.count(bracket) == 0 {
            // The wrong bracket still ends what it was meant to end.
            let wrong = self.lists.pop();
            wrong.into_iter().for_each(|(found, _)| *self.count(found) -= 1);
            return None;
        }
        while let Some((found, at)) = self.lists.pop() {
            *self.count(found) -= 1;
            if found == bracket {
                return Some(at);
            }
        }
        None
    }
}
