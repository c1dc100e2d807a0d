/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Network cards: their interrupts and devices, told from loopback, veth and their like. */
#ifndef TAUT_CARDS_H
#define TAUT_CARDS_H

#include "bits.h"
#include "kernel_access.h"

/* One bit an interrupt number: those of cards. */
#define MAX_IRQS 4096
extern const volatile __u64 nic_irqs[MAX_IRQS / 64];

static __always_inline bool is_card_irq(int irq)
{
	return in_bits(nic_irqs, irq, MAX_IRQS);
}

static __always_inline bool is_hardware(struct net_device *dev)
{
	return READ(dev, dev.parent);
}

#endif
