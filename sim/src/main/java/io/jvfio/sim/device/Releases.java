// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import io.jvfio.sim.setup.KernelEra;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Devices that the kernel takes from their driver. The driver lets one go when its last file is
 * closed; until then it asks the user for it again and again. Source: {@code
 * drivers/vfio/vfio_main.c}, {@code vfio_unregister_group_dev}; before 6.1 {@code vfio.c}, {@code
 * vfio_del_group_dev}.
 */
final class Releases {
  private static final int ASKED_EVERY_SECONDS = 10;

  private final HostDevices host;
  private final List<Release> pending = new ArrayList<>();

  private record Release(HostDevice device, CompletableFuture<Void> done) {}

  Releases(HostDevices host) {
    this.host = host;
  }

  /** Begins to take a device from its driver. */
  CompletableFuture<Void> begin(HostDevice device) {
    var release = new Release(device, new CompletableFuture<>());
    if (device.isVfio()) {
      device.beginRelease();
      pending.add(release);
      host.observer().changed(); // the links to its driver go first
      settle();
      ask(release);
    } else {
      finish(release);
    }
    return release.done;
  }

  /** The device is pulled while it is being taken from its driver. */
  CompletableFuture<Void> join(HostDevice device) {
    for (var release : pending) {
      if (release.device == device) {
        return release.done;
      }
    }
    return begin(device);
  }

  /** The kernel's patience has no end. */
  private void ask(Release release) {
    if (!pending.contains(release)) {
      return;
    }
    release.device.requestRelease();
    CompletableFuture.delayedExecutor(ASKED_EVERY_SECONDS, TimeUnit.SECONDS)
        .execute(
            () -> {
              synchronized (host.process()) {
                ask(release);
              }
            });
  }

  /** Ends those that nobody uses any more. To be called when files may have been closed. */
  void settle() {
    for (var release : List.copyOf(pending)) {
      if (!release.device.isHeld() && !isHeldByContainer(release.device)) {
        pending.remove(release);
        finish(release);
      }
    }
  }

  /** Old kernels wait for the group of the last device to leave its container, too. */
  private boolean isHeldByContainer(HostDevice device) {
    var group = device.group();
    return host.process().era() == KernelEra.LINUX_5_10
        && group != null
        && group.isAttached()
        && group.devices().stream().noneMatch(other -> other != device && other.isVfio());
  }

  private void finish(Release release) {
    var device = release.device;
    var group = device.group();
    boolean wasVfio = device.isVfio();
    device.endRelease();
    if (group != null) {
      if (device.isGone()) {
        group.remove(device);
      }
      if (wasVfio && !group.hasVfioDevice()) {
        abandon(group, device);
      }
      if (group.devices().isEmpty()) {
        host.remove(group);
      }
    }
    if (device.isGone()) {
      host.remove(device);
      device.close();
    }
    host.observer().changed();
    // Who waits for it must not run under the host's lock.
    release.done.completeAsync(() -> null);
  }

  /** The group has no device of VFIO's any more: what its file refers to is gone. */
  private static void abandon(VfioGroup group, HostDevice last) {
    var container = group.container();
    if (container != null) {
      container.detach(group);
    }
    group.dropIommufd();
    if (group.isNoIommu()) {
      last.leaveGroup(); // VFIO had made it for this device
    }
  }
}
