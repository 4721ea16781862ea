/** Pages of help that belong to no single command: `netc help json`, `netc help data`. */

export const topics: Readonly<Record<string, string>> = {
  json: `With --json every line of stdout is one JSON object, told apart by its field "event".

diagnostic   severity, code, message, file, line, column, endLine, endColumn, label, help, …
compiled     model, target, milliseconds, bytes, parameters
from         train, with --from: file, taken, initialized, unused [name], unlike [{name, file, model}]
progress     train, about once a second: epoch, epochs, step, row, rows, metrics {loss, …},
             examplesPerSecond, secondsLeft
epoch        train, after each epoch: as progress, and validation {loss, …} with --validation,
             best {epoch, value, wait} with --early-stop, lowered {NAME: value} with --plateau
monitor      train, after each epoch with --monitor: epoch, parameters [{name, weight, gradient,
             update, ratio}], activations [{name, kind, share}], warnings [text]
interrupted  train, the last line after an interrupt: step, checkpoint
figure       show, predict --out, for each picture: kind (images, heatmap, points), title
tensor       show --list: name, kind (param, input, value, output), shape, bounds, blocks
done         the last line of a command that succeeded.
             train: model, weights, epochs, step, seconds, examplesPerSecond,
                    metrics {train {loss, …}, test {…}, validation {…}}, with --early-stop
             best {metric, epoch, value, wait}
             eval: model, data, metrics {SOURCE {loss, …}}, and tensors {confusion {values, classes
                   [{class, precision, recall, f1, rows}]}} where the block reports such
             compile: model, milliseconds, files, modules [{target, bytes, gzip}], memory,
                      entries [{name, kind, flops, bytes, peak}]
             check: model, ok
             show, predict --out: model, file, figures
error        the last line of a command that failed: kind (input, usage, defect), message

metrics.train is evaluated over all rows of data train after the last step, rows held out for
validation among them (over as many as test has where there are more than ten times as many); the metrics of progress and
epoch are means over the rows trained on so far in the epoch, while the weights change.
netc predict prints one object a row, of the block's outputs, with or without --json.

Exit codes: 0 done, 1 the input is wrong, 2 the call is wrong, 70 a defect of netc, 130 interrupted.
`,
  data: `data {
  train: csv("flowers.csv", x = "length, width", y = "species", split = "train", seed = 1)
  test:  csv("flowers.csv", x = "length, width", y = "species", split = "test", seed = 1)
}

A path is relative to the .net file, or begins with the name of an installed package. gzip is unpacked.

idx("images", "labels")            MNIST's format; each file is one output
npy("x.npy", "y.npy")              NumPy arrays, little-endian, C order
csv("file", NAME = "columns", …)   a header line; without names: all columns but the last, and the last
json("file", NAME = "columns", …)  an array of records, or of rows: columns 0, 1, …
safetensors("file", NAME = "tensor", …)
text("file", …, NAME = "char[128]")          windows of 128 tokens of a vocabulary over texts; \`next\`, the
                                             same one token later; \`file\`, the number of the file
pairs("file", A = "letter[24]", B = "phone[22]")  two sequences a row; see below
images("folder/*.png"), images("*/*.png"), images("list.csv", image = "column", label = "column")
                                             pictures of one size: \`image\`, height by width by channels, 0 to
                                             255; \`label\`, what the first star of several stands for

A train block NAME reads \`NAME_train\` and \`NAME_test\` where there is a \`NAME_train\`, else \`train\` and \`test\`.
Outputs feed the inputs of a train block: by name where every input is named, else in order. Outputs that no
input takes are left out by name, or where they have no names (idx, npy) from the end. A row may have any shape
with as many values: images of 28 by 28 fill an input of 784. Columns are separated by commas; a column of
names becomes the classes 0, 1, … in alphabetical order.

split = "train" | "test"     rows drawn at random: the training share or the rest
fraction = 0.8, seed = 0     that share, and the draw
missing = "error" | "drop"   rows without a value in a column that is used
onehot = "columns"           these columns become one column of 0 and 1 for each of their values
standardize = true | "x"     mean 0 and deviation 1 by the training rows; true means the first output
balance = "NAME" | true      a further column \`weight\` that makes the classes of this output (true: of the last)
                             count alike: cross_entropy(logits, label, weights = weight)
header = true, separator = ","   csv: without a header the columns are called 0, 1, …
limit = N                    only the first N rows
channels = 1 | 3             images: grey or colours; default as the first picture is

text: stride = N, the tokens from one window to the next (default: the window's length); split = "test" is
the end of each text, with fraction = 0.9 the last tenth, and no window reaches over a border.

pairs reads lines of two texts with separator = "\\t" between, a JSON object or array of pairs, or a JavaScript
module that exports one as plain data (its code is not run; a number behind a key, as in "read(2)", is dropped).
The vocabularies need the tokens <pad>, and that of the second <start> and <end>. Columns, for A of 24 and B of
22 tokens:
  A, A_length, A_mask        the first text filled up with <pad>; how long it is; 1 where it is, 0 behind
  B                          <start> and the second text: what a decoder is given
  next                       the second text and <end>: what it is to predict
  B_length, B_mask           of B and of next
split goes by a hash of the first text (fraction = 0.9, seed), so that the pairs of one text stay together.
ignore = "012" leaves characters out of the second text, comment = "#" what stands behind it; unfit = "drop" leaves out rows that are too long or
hold what is no token, which is an error otherwise.
`,
}
