/** One thing that `tailmix doctor` looked at. */
export interface Finding {
  name: string;
  /** `ok`; `note`: works, could be better; `problem`: does not work. */
  status: 'ok' | 'note' | 'problem';
  value: string;
  /** What to do, for a note or a problem. */
  cure?: string;
}
