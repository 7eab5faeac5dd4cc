// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE8;

import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A model that lies where a test wants it to: in its registers and in its completions. */
final class MeddledModel implements DeviceModel {
  private static final int NONE = -1;
  private static final int CAP = 0x00;
  private static final int CAP_HIGH = 0x04;
  private static final int CSTS = 0x1c;
  private static final int INTERNAL_ERROR = 0x006;

  /** Fail this completion, counted from 0. */
  int failingCompletion = NONE;

  /** Add this to command identifiers. */
  int commandIdOffset;

  boolean isNeverReady;
  int timeoutUnits = NONE;
  int smallestPageShift = 12;
  int maxQueueEntries = NONE;

  /** Hand out this instead of an Identify page. */
  @Nullable MemorySegment namespacePage;

  /** Entries of the I/O submission queue as created. */
  int createdEntries;

  private final DeviceModel model;
  private int completions;

  MeddledModel(DeviceModel model) {
    this.model = model;
  }

  @Override
  public ConfigSpace config() {
    return model.config();
  }

  @Override
  public List<Bar> bars() {
    return model.bars();
  }

  @Override
  public int msixVectors() {
    return model.msixVectors();
  }

  @Override
  public void connectPoll(Runnable request) {
    model.connectPoll(request);
  }

  @Override
  public boolean poll() {
    return model.poll();
  }

  @Override
  public void connect(DmaPort dma, InterruptPort interrupts) {
    model.connect(
        new DmaPort() {
          @Override
          public void read(long iova, MemorySegment target) throws DmaFaultException {
            dma.read(iova, target);
            noteCreation(target);
          }

          @Override
          public void write(long iova, MemorySegment source) throws DmaFaultException {
            if (namespacePage != null && source.byteSize() == namespacePage.byteSize()) {
              dma.write(iova, namespacePage);
            } else {
              // Only a half of a completion has this size.
              dma.write(iova, source.byteSize() == 8 ? meddle(source) : source);
            }
          }
        },
        interrupts);
  }

  private void noteCreation(MemorySegment commands) {
    boolean isCommand = commands.byteSize() == SubmissionEntry.SIZE;
    if (isCommand && commands.get(LE8, 0) == Opcode.CREATE_SUBMISSION_QUEUE.code()) {
      createdEntries = (commands.get(LE32, 40) >>> 16) + 1;
    }
  }

  private MemorySegment meddle(MemorySegment source) {
    if (source.get(LE32, 4) == 0) {
      return source; // the first half: the second has at least a phase tag or a command
    }
    var changed = Arena.ofAuto().allocate(8, 8).copyFrom(source);
    int last = changed.get(LE32, 4) + commandIdOffset;
    if (completions++ == failingCompletion) {
      last |= INTERNAL_ERROR << 17;
    }
    changed.set(LE32, 4, last);
    return changed;
  }

  @Override
  public long read(int bar, long offset, int width) {
    long value = model.read(bar, offset, width);
    if (offset == CSTS && isNeverReady) {
      return value & ~1;
    }
    if (offset == CAP && timeoutUnits != NONE) {
      return (value & 0x00ff_ffff) | ((long) timeoutUnits << 24);
    }
    if (offset == CAP && maxQueueEntries != NONE) {
      return (value & ~0xffffL) | (maxQueueEntries - 1);
    }
    return offset == CAP_HIGH ? value | ((smallestPageShift - 12L) << 16) : value;
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    model.write(bar, offset, width, value);
  }

  @Override
  public void reset() {
    model.reset();
  }

  @Override
  public void close() {
    model.close();
  }
}
