// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** A host at its barest: flat memory of 64 KiB, and a journal of what the device tells it. */
public final class ModelHost implements DmaPort, InterruptPort {
  public final MemorySegment memory = MemorySegment.ofArray(new byte[64 << 10]);
  public final List<String> journal = new ArrayList<>();
  public final DeviceModel model;
  public int requests;

  public ModelHost(DeviceModel model) {
    this.model = model;
    model.connectPoll(() -> requests++);
    model.connect(this, this);
  }

  /** Polls the device for what it has asked. */
  public void poll() {
    if (requests > 0) {
      requests = 0;
      while (model.poll()) {
        // There is more.
      }
    }
  }

  public List<String> takeJournal() {
    var taken = List.copyOf(journal);
    journal.clear();
    return taken;
  }

  @Override
  public void signal(int vector) {
    journal.add("message " + vector);
  }

  @Override
  public void line(boolean asserted) {
    journal.add(asserted ? "line up" : "line down");
  }

  @Override
  public void read(long iova, MemorySegment target) throws DmaFaultException {
    target.copyFrom(reach(iova, target.byteSize()));
  }

  @Override
  public void write(long iova, MemorySegment source) throws DmaFaultException {
    reach(iova, source.byteSize()).copyFrom(source);
  }

  private MemorySegment reach(long iova, long length) throws DmaFaultException {
    if (iova < 0 || iova > memory.byteSize() - length) {
      throw new DmaFaultException(iova, "nothing is mapped there");
    }
    return memory.asSlice(iova, length);
  }
}
