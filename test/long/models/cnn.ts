/** Convolutional networks: handwritten digits and clothes. */
import { atLeast, resultOf, type Task, type Tools, type Trained } from './task.ts'

/** The network of digits also judges what generators draw. */
export const trainCnn = (tools: Tools): Trained =>
  tools.train('cnn', ['--epochs', '10', '--target', 'relaxed'])

export const cnn: Task = {
  name: 'cnn',
  summary: 'a convolutional network on MNIST: 99.3 % of the test digits within 10 epochs',
  *run(tools) {
    yield resultOf('cnn', 'MNIST', trainCnn(tools), 'accuracy', atLeast(0.993))
  },
}

export const fashion: Task = {
  name: 'fashion',
  summary: 'a convolutional network on Fashion-MNIST: 91.5 % of the test pictures within 10 epochs',
  *run(tools) {
    const trained = tools.train('fashion', ['--epochs', '8', '--target', 'relaxed'])
    yield resultOf('fashion', 'Fashion-MNIST', trained, 'accuracy', atLeast(0.915))
  },
}
