// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.model.Bar;
import io.jvfio.model.ConfigSpace;
import io.jvfio.model.DeviceModel;
import io.jvfio.model.DmaPort;
import io.jvfio.model.InterruptPort;
import io.jvfio.model.nvme.NvmeModel;
import java.util.List;

/** An NVMe controller as it should be; who extends it makes it worse. */
abstract class WrappedModel implements DeviceModel {
  private final NvmeModel nvme;

  WrappedModel(String serial, long byteSize) {
    nvme = NvmeModel.inMemory(serial, byteSize);
  }

  @Override
  public ConfigSpace config() {
    return nvme.config();
  }

  @Override
  public List<Bar> bars() {
    return nvme.bars();
  }

  @Override
  public int msixVectors() {
    return nvme.msixVectors();
  }

  @Override
  public void connectPoll(Runnable request) {
    nvme.connectPoll(request);
  }

  @Override
  public boolean poll() {
    return nvme.poll();
  }

  @Override
  public void connect(DmaPort port, InterruptPort interrupts) {
    nvme.connect(port, interrupts);
  }

  @Override
  public long read(int bar, long offset, int width) {
    return nvme.read(bar, offset, width);
  }

  @Override
  public void write(int bar, long offset, int width, long value) {
    nvme.write(bar, offset, width, value);
  }

  @Override
  public void reset() {
    nvme.reset();
  }

  @Override
  public void close() {
    nvme.close();
  }
}
