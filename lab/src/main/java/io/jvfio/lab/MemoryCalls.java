// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.linux.Kernel;
import java.util.List;

/** Anonymous memory: some that may be written, some that may not, and some with holes. */
final class MemoryCalls implements Subject {
  /** Small, for whatever stays pinned stays mapped. */
  private static final long BYTES = 1 << 20;

  private static final long READ_ONLY_BYTES = 256 << 10;
  private static final int MOST = 3;

  @Override
  public void offer(Draft draft, Menu menu) {
    if (draft.memory.size() < MOST) {
      menu.add(draft.memory.isEmpty() ? 30 : 2, () -> map(draft));
    } else {
      menu.add(1, () -> punch(draft));
    }
  }

  static void map(Draft draft) {
    var name = "m" + draft.memory.size();
    boolean readOnly = draft.memory.size() == 1;
    long byteSize = readOnly ? READ_ONLY_BYTES : BYTES;
    draft.steps.memory(name, byteSize, Kernel.PROT_READ | (readOnly ? 0 : Kernel.PROT_WRITE));
    draft.memory.put(name, byteSize);
  }

  /** Not so large that something else would be put there. */
  private static void punch(Draft draft) {
    long page = draft.ground.pageSize();
    var memory = draft.oneOf(List.copyOf(draft.memory.keySet()));
    draft.steps.hole(memory, (1 + draft.below(2)) * page, (1 + draft.below(2)) * page);
  }
}
