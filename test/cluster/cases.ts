/** A short run of squares. */
export interface Case {
  name: string;
  /** A plugin, with its options of the suite over all plugins. */
  plugin?: string;
  /** Plugins with their defaults. */
  plugins?: readonly string[];
  /** Default: a tiny one that suits the plugin. */
  model?: 'small-cnn' | 'resnet32' | 'resnet18' | 'resnet50';
  head?: 'cosine';
  /** Of the images. Default: 8. */
  side?: number;
  replicas: number;
  precision?: 'fp32' | 'bf16';
  batchNorm?: 'synced';
  pairs?: 'global';
  /** Two phases: all, then the classifier alone. */
  phases?: true;
  /** Of each phase. Default: 2. */
  epochs?: number;
}

/** What a case gave. */
export interface Trained {
  name: string;
  /** `captured fp32`. */
  ran: string;
  losses: number[];
  /** Accuracy and loss on the test images, by epoch. */
  tests: (number[] | null)[];
  /** SHA-256 of all weights, statistics and slots. */
  state: string;
}
