/** Handwritten digits with a feed-forward network. */
import { atLeast, resultOf, type Task } from './task.ts'

export const mnist: Task = {
  name: 'mnist',
  summary: 'a feed-forward network on MNIST: 98 % of the test digits after 10 epochs',
  *run(tools) {
    const trained = tools.train('mnist', ['--epochs', '10'])
    yield resultOf('mnist', 'MNIST', trained, 'accuracy', atLeast(0.98))
  },
}
