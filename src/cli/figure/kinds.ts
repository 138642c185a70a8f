/** What `tailmix figure` draws. */
export const figureKinds = ['boundaries', 'confusion', 'tau'] as const;
export type FigureKind = (typeof figureKinds)[number];
