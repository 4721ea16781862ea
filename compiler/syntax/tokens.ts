/**
 * The vocabulary: every token type and the chevrotain lexer over it. In goes text, out come raw tokens with newlines
 * and comments among them; lex.ts cleans them up and layout.ts decides which newlines end statements.
 *
 * Words are lexed as `Identifier` and renamed by a table afterwards (lex.ts): one pattern instead of forty, and the
 * same table says which words may still be used as names. Those have the category `Word`.
 */
import { createToken, type IToken, Lexer, type TokenType } from 'chevrotain'

/** Anything that may be a name: identifiers and the keywords that only mean something in their place. */
export const Word = createToken({ name: 'Word', label: 'a name', pattern: Lexer.NA })
export const BinaryOperator = createToken({ name: 'BinaryOperator', pattern: Lexer.NA })
export const PrefixOperator = createToken({ name: 'PrefixOperator', pattern: Lexer.NA })
export const Identifier = createToken({
  name: 'Identifier',
  label: 'a name',
  pattern: /[A-Za-z_]\w*/,
  categories: [Word],
})
export const Primed = createToken({ name: 'Primed', pattern: /[A-Za-z_]\w*'/ })

export const Newline = createToken({ name: 'Newline', pattern: /\n/, line_breaks: true })
const Space = createToken({
  name: 'Space',
  pattern: /[ \t\r\f\v\u00a0\ufeff]+/,
  group: Lexer.SKIPPED,
})
export const Comment = createToken({ name: 'Comment', pattern: /\/\/[^\n]*/ })
export const HashComment = createToken({ name: 'HashComment', pattern: /#[^\n]*/ })
/** By hand, because a regular expression would look for the end again at every unclosed opening. */
export const BlockComment = createToken({
  name: 'BlockComment',
  pattern: (text: string, offset: number) => {
    if (!text.startsWith('/*', offset)) return null
    const close = text.indexOf('*/', offset + 2)
    return [text.slice(offset, close < 0 ? text.length : close + 2)]
  },
  start_chars_hint: ['/'],
  line_breaks: true,
})

/** Generous, so that a wrong number is one token; lex.ts checks it. A range `0..3` stays three tokens. */
export const NumberLit = createToken({
  name: 'NumberLit',
  label: 'a number',
  pattern: /\.?\d(?:[eE][+-]?\d|\w|\.(?!\.))*/,
})
export const StringToken = createToken({
  name: 'StringToken',
  label: 'a string',
  pattern: /"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*"/,
})
export const UnterminatedString = createToken({ name: 'UnterminatedString', pattern: /"[^\n]*/ })
export const QuotedString = createToken({ name: 'QuotedString', pattern: /'[^'\n]*'?/ })
/** Last: whatever nothing else matches, a surrogate pair as one. */
export const Stray = createToken({
  name: 'Stray',
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a positive set, so that the lexer can index it.
  pattern: /[\ud800-\udbff][\udc00-\udfff]|[\u0000-\t\u000b-\uffff]/,
})

const symbol = (name: string, text: string, categories: TokenType[] = []): TokenType =>
  createToken({ name, label: `\`${text}\``, pattern: text, categories })

export const Pipe = symbol('Pipe', '|>', [BinaryOperator])
export const Arrow = symbol('Arrow', '->')
export const FatArrow = symbol('FatArrow', '=>')
export const TripleEqual = symbol('TripleEqual', '===')
export const NotTripleEqual = symbol('NotTripleEqual', '!==')
export const EqualEqual = symbol('EqualEqual', '==', [BinaryOperator])
export const NotEqual = symbol('NotEqual', '!=', [BinaryOperator])
export const LessEqual = symbol('LessEqual', '<=', [BinaryOperator])
export const GreaterEqual = symbol('GreaterEqual', '>=', [BinaryOperator])
export const Less = symbol('Less', '<', [BinaryOperator])
export const Greater = symbol('Greater', '>', [BinaryOperator])
export const PlusEqual = symbol('PlusEqual', '+=')
export const MinusEqual = symbol('MinusEqual', '-=')
export const StarEqual = symbol('StarEqual', '*=')
export const SlashEqual = symbol('SlashEqual', '/=')
export const Equal = symbol('Equal', '=')
export const StarStar = symbol('StarStar', '**')
export const Plus = symbol('Plus', '+', [BinaryOperator])
export const Minus = symbol('Minus', '-', [BinaryOperator, PrefixOperator])
export const Star = symbol('Star', '*', [BinaryOperator])
export const Slash = symbol('Slash', '/', [BinaryOperator])
export const Percent = symbol('Percent', '%', [BinaryOperator])
export const Caret = symbol('Caret', '^', [BinaryOperator])
export const AtSign = symbol('AtSign', '@')
export const AndAnd = symbol('AndAnd', '&&')
export const OrOr = symbol('OrOr', '||')
export const Bang = symbol('Bang', '!')
export const DotDot = symbol('DotDot', '..')
export const Dot = symbol('Dot', '.')
export const Comma = symbol('Comma', ',')
export const Colon = symbol('Colon', ':')
export const Semicolon = symbol('Semicolon', ';')
export const LParen = symbol('LParen', '(')
export const RParen = symbol('RParen', ')')
export const LBracket = symbol('LBracket', '[')
export const GuardedBracket = symbol('GuardedBracket', '?[')
export const RBracket = symbol('RBracket', ']')
export const LCurly = symbol('LCurly', '{')
export const RCurly = symbol('RCurly', '}')
export const Question = symbol('Question', '?')
/** Made by layout.ts: the end of a statement. */
export const Separator = createToken({
  name: 'Separator',
  label: 'the end of the line',
  pattern: Lexer.NA,
})

const keyword = (text: string, ...categories: TokenType[]): TokenType =>
  createToken({ name: `${text}Keyword`, label: `\`${text}\``, pattern: Lexer.NA, categories })

/** Keywords that are never names. */
export const Fn = keyword('fn')
export const Layer = keyword('layer')
export const Net = keyword('net')
export const If = keyword('if')
export const Else = keyword('else')
export const For = keyword('for')
export const In = keyword('in')
export const True = keyword('true')
export const False = keyword('false')
export const And = keyword('and', BinaryOperator)
export const Or = keyword('or', BinaryOperator)
export const Not = keyword('not', PrefixOperator)
export const Minimize = keyword('minimize')
export const Over = keyword('over')
export const Using = keyword('using')
export const With = keyword('with')
export const Report = keyword('report')
export const Yield = keyword('yield')
/** `sum max min mean prod argmax argmin`. */
export const Reduce = createToken({ name: 'Reduce', label: 'a reduction', pattern: Lexer.NA })

/** Keywords only where they start a declaration or a statement; names everywhere else. */
export const Import = keyword('import', Word)
export const Dim = keyword('dim', Word)
export const Const = keyword('const', Word)
export const Data = keyword('data', Word)
export const Vocab = keyword('vocab', Word)
export const Optimizer = keyword('optimizer', Word)
export const Rule = keyword('rule', Word)
export const Train = keyword('train', Word)
export const Predict = keyword('predict', Word)
export const Param = keyword('param', Word)
export const State = keyword('state', Word)
export const Step = keyword('step', Word)
/** After an optimizer: `using adam(1e-3) every 4`. */
export const Every = keyword('every', Word)
export const Average = keyword('average', Word)
export const Scan = keyword('scan', Word)
export const Fixpoint = keyword('fixpoint', Word)

const words: readonly (readonly [string, TokenType])[] = [
  ['fn', Fn],
  ['layer', Layer],
  ['net', Net],
  ['if', If],
  ['else', Else],
  ['for', For],
  ['in', In],
  ['true', True],
  ['false', False],
  ['and', And],
  ['or', Or],
  ['not', Not],
  ['minimize', Minimize],
  ['over', Over],
  ['using', Using],
  ['with', With],
  ['report', Report],
  ['yield', Yield],
  ['sum', Reduce],
  ['max', Reduce],
  ['min', Reduce],
  ['mean', Reduce],
  ['prod', Reduce],
  ['argmax', Reduce],
  ['argmin', Reduce],
  ['import', Import],
  ['dim', Dim],
  ['const', Const],
  ['data', Data],
  ['vocab', Vocab],
  ['optimizer', Optimizer],
  ['rule', Rule],
  ['train', Train],
  ['predict', Predict],
  ['param', Param],
  ['state', State],
  ['step', Step],
  ['every', Every],
  ['average', Average],
  ['scan', Scan],
  ['fixpoint', Fixpoint],
]

/** Word → its token type; other words stay identifiers. */
export const keywords: ReadonlyMap<string, TokenType> = new Map(words)

/** Types that start a declaration at the top of a file. */
export const itemKeywords: ReadonlySet<TokenType> = new Set([
  Import,
  Dim,
  Const,
  Data,
  Vocab,
  Fn,
  Layer,
  Net,
  Optimizer,
  Rule,
  Train,
  Predict,
])

/** In the order they are tried: longer symbols before their beginnings. */
const lexed: TokenType[] = [
  Newline,
  Space,
  Comment,
  HashComment,
  BlockComment,
  Primed,
  Identifier,
  NumberLit,
  StringToken,
  UnterminatedString,
  QuotedString,
  Pipe,
  Arrow,
  FatArrow,
  TripleEqual,
  NotTripleEqual,
  EqualEqual,
  NotEqual,
  LessEqual,
  GreaterEqual,
  Less,
  Greater,
  PlusEqual,
  MinusEqual,
  StarEqual,
  SlashEqual,
  Equal,
  StarStar,
  Plus,
  Minus,
  Star,
  Slash,
  Percent,
  Caret,
  AtSign,
  AndAnd,
  OrOr,
  Bang,
  DotDot,
  Dot,
  Comma,
  Colon,
  Semicolon,
  LParen,
  RParen,
  LBracket,
  GuardedBracket,
  RBracket,
  LCurly,
  RCurly,
  Question,
  Stray,
]

export const vocabulary: TokenType[] = [
  Word,
  BinaryOperator,
  PrefixOperator,
  Separator,
  ...lexed,
  ...new Set(keywords.values()),
]

const lexer = new Lexer(lexed, { positionTracking: 'onlyOffset', ensureOptimizations: true })

/** Never fails: what matches nothing comes out as `Stray`. */
export const tokenize = (text: string): IToken[] => lexer.tokenize(text).tokens

export const startOf = (token: IToken): number => token.startOffset
export const endOf = (token: IToken): number => token.startOffset + token.image.length

/** Gives a token another type. */
export function retype(token: IToken, type: TokenType): IToken {
  token.tokenType = type
  token.tokenTypeIdx = type.tokenTypeIdx ?? 0
  return token
}
