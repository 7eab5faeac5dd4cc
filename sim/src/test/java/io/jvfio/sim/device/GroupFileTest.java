// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.setup.HostCatalog;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.HostSettings;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What needs a group that no host has. */
class GroupFileTest {
  @Test
  void aGroupWithoutAnyVfioDeviceCannotBeOpened() {
    var process = new HostProcess(HostCatalog.HOSTS.getFirst(), new HostSettings());
    var group = new VfioGroup(new HostDescription.Group(1, null, List.of()), null, false);
    assertThat(GroupFile.openError(process, group)).isEqualTo(Errno.ENODEV.result());
  }
}
