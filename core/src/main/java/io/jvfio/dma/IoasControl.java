// SPDX-License-Identifier: Apache-2.0
package io.jvfio.dma;

import io.jvfio.DmaWindow;
import io.jvfio.Ioas;
import io.jvfio.iommu.IoasDomain;
import io.jvfio.kernel.Refusal;
import java.util.List;

/** The IOAS of a space, under its lock. */
final class IoasControl implements Ioas {
  private final MappedSpace space;
  private final IoasDomain domain;

  IoasControl(MappedSpace space, IoasDomain domain) {
    this.space = space;
    this.domain = domain;
  }

  @Override
  public void keepValid(List<DmaWindow> ranges) {
    synchronized (space) {
      space.requireOpen();
      try {
        domain.allow(ranges);
      } catch (Refusal e) {
        throw e.of(space.subject());
      }
    }
  }

  @Override
  public boolean combinesPages() {
    return option(false, false);
  }

  @Override
  public void combinePages(boolean combine) {
    option(true, combine);
  }

  private boolean option(boolean set, boolean value) {
    synchronized (space) {
      space.requireOpen();
      try {
        return domain.option(set, value);
      } catch (Refusal e) {
        throw e.of(space.subject());
      }
    }
  }
}
