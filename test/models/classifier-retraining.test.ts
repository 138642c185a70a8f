import { describeTwoStage } from '../support/two-stage.ts';

// A frozen backbone, and no plugin.
describeTwoStage(null);
